// Files from a container and to it. The work is done by a process that is shut in the container's root; here bytes only pass by.
import { AgentError, during, wrap } from "../base/errors.ts";
import type { ContainerId } from "../base/ids.ts";
import type { ContainerRoot, CopySource } from "../generated/berth/native/helper.ts";
import type { CopyConnection, Piece } from "../native-client/copy-connection.ts";
import type { ContainerContext, FindContainer } from "./context.ts";
import type { ContainerRecord } from "./records.ts";

export type CopiedPiece = Extract<Piece, { $case: "found" | "data" | "done" }>;

export interface CopyTarget {
  readonly path: string;
  readonly source: CopySource;
  readonly keepOwners: boolean;
}

/**
 * What is found, its tar, and how much was left out.
 *
 * @throws AgentError not-found for a path that is not there, failed-precondition for one that can't be copied
 */
export async function* copyFrom(
  context: ContainerContext,
  find: FindContainer,
  id: ContainerId,
  path: string,
  followLink: boolean,
  signal: AbortSignal,
): AsyncGenerator<CopiedPiece> {
  try {
    const root = containerRoot(context, find(id), path);
    using connection = await context.helper.openCopy({ $case: "copyFrom", value: { root, path, followLink } }, signal);
    for (;;) {
      const piece = await connection.next();
      if (piece.$case !== "found" && piece.$case !== "data" && piece.$case !== "done") throw unexpected(piece);
      yield piece;
      if (piece.$case === "done") return;
    }
  } catch (failure) {
    throw wrap(failure, `copy from container ${id}`);
  }
}

/** @throws AgentError not-found for a folder that is not there, failed-precondition for a read-only one, resource-exhausted for a full disk */
export async function copyTo(
  context: ContainerContext,
  find: FindContainer,
  id: ContainerId,
  { path, source, keepOwners }: CopyTarget,
  tar: AsyncIterable<Buffer>,
  signal: AbortSignal,
): Promise<void> {
  await during(`copy to container ${id}`, async () => {
    const root = containerRoot(context, find(id), path);
    using connection = await context.helper.openCopy({ $case: "copyTo", value: { root, path, source, keepOwners } }, signal);
    await expect(connection, "ready");
    const done = expect(connection, "done");
    // It may refuse half way, and then takes no more.
    await Promise.race([done, sendAll(connection, tar).then(() => done)]);
  });
}

async function sendAll(connection: CopyConnection, tar: AsyncIterable<Buffer>): Promise<void> {
  for await (const data of tar) await connection.send({ $case: "data", value: data });
  await connection.send({ $case: "end", value: {} });
}

async function expect(connection: CopyConnection, expected: Piece["$case"]): Promise<void> {
  const piece = await connection.next();
  if (piece.$case !== expected) throw unexpected(piece);
}

const unexpected = ({ $case }: Piece): AgentError => new AgentError("internal", `the answer is ${$case}`);

function containerRoot({ sandboxes }: ContainerContext, container: ContainerRecord, path: string): ContainerRoot {
  const sandbox = sandboxes.get(container.sandboxId);
  if (sandbox.state !== "ready" || sandbox.shim === undefined)
    throw new AgentError("failed-precondition", `its pod is ${sandbox.state}: its root is not mounted any more`);
  const running = container.state === "running";
  const volume = container.config.mounts.find(({ containerPath }) => isWithin(path, containerPath));
  if (!running && volume !== undefined) {
    throw new AgentError(
      "failed-precondition",
      `${path} is in the mount at ${volume.containerPath}, which is there while the container runs; it is ${container.state}`,
    );
  }
  return {
    shimPid: sandbox.shim.pid,
    shimStartTicks: sandbox.shim.startTicks,
    rootfs: `${sandbox.stateDir}/containers/${container.id}/rootfs`,
    pid: running ? container.pid : 0,
  };
}

// By the words of both: for a helpful refusal, not for safety.
const isWithin = (path: string, folder: string): boolean => `${path}/`.startsWith(`${folder.replace(/\/+$/, "")}/`);
