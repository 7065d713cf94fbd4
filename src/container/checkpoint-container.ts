// CheckpointContainer: the processes as CRIU writes them down and the files that the container has changed, of one moment, in an
// archive. The container goes on. docs/checkpoints.md says what is in it.
import { copyFile, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { AgentError, kindOf, wrap } from "../base/errors.ts";
import type { ContainerId } from "../base/ids.ts";
import { configDump, statusDump } from "./checkpoint-metadata.ts";
import type { ContainerContext, FindContainer } from "./context.ts";
import type { ContainerRecord } from "./records.ts";

const MAX_TIMEOUT_SECONDS = 3600n;
const MAX_ARCHIVE_BYTES = 256n * 1024n ** 3n;

/** @throws AgentError unimplemented, by which a kubelet knows that it need not try again */
export function requireCheckpoints({ checkpoints }: ContainerContext): void {
  if (!checkpoints.isEnabled)
    throw new AgentError("unimplemented", "checkpoint container: memory is not saved here while berthd's setting `checkpoints` is false");
}

/**
 * @param location absolute; the archive is there, with mode 0600, when all of it is
 * @param timeoutSeconds of all of it; 0n: as long as any call of the OCI runtime
 * @param signal ends it, and the container goes on
 * @throws AgentError failed-precondition with CRIU's words for a container that can't be written down, deadline-exceeded, cancelled
 */
export async function checkpointContainer(
  context: ContainerContext,
  find: FindContainer,
  id: ContainerId,
  location: string,
  timeoutSeconds: bigint,
  signal: AbortSignal,
): Promise<void> {
  requireCheckpoints(context);
  const timeoutMs = timeoutSeconds === 0n ? context.runtimeTimeoutMs : Number(timeoutSeconds) * 1000;
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(), timeoutMs);
  try {
    if (timeoutSeconds < 0n || timeoutSeconds > MAX_TIMEOUT_SECONDS)
      throw new AgentError("invalid-argument", `timeout ${timeoutSeconds} is not within 0 to ${MAX_TIMEOUT_SECONDS} seconds`);
    if (!location.startsWith("/")) throw new AgentError("invalid-argument", `location ${JSON.stringify(location)} is no absolute path`);
    await save(context, find(id), location, timeoutMs, AbortSignal.any([signal, deadline.signal]));
  } catch (failure) {
    if (deadline.signal.aborted)
      throw new AgentError("deadline-exceeded", `checkpoint container ${id}: it was not done within ${timeoutMs} ms`, { cause: failure });
    throw wrap(failure, `checkpoint container ${id}`);
  } finally {
    clearTimeout(timer);
  }
}

async function save(
  context: ContainerContext,
  container: ContainerRecord,
  location: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<void> {
  const { checkpoints, helper, inHand, sandboxes } = context;
  const { id, sandboxId } = container;
  if (container.state !== "running") throw new AgentError("failed-precondition", `it is ${container.state}`);
  const sandbox = sandboxes.get(sandboxId);
  const { runtimeHandler } = sandbox.config;
  if (!(await checkpoints.mayRuntime(runtimeHandler))) {
    const { path } = context.runtime(runtimeHandler);
    throw new AgentError(
      "failed-precondition",
      `${path} is built without CRIU: run the pod with a handler whose OCI runtime has it, as runc`,
    );
  }
  const folder = join(checkpoints.folder, id);
  if (inHand.has(folder)) throw new AgentError("failed-precondition", "another checkpoint of it is being made");
  const pack = (from: string, target: string, { isUpper = false, checkOnly = false } = {}) =>
    helper.packFolder({ folder: from, isUpper, target, maxBytes: MAX_ARCHIVE_BYTES, checkOnly }, signal);
  await inHand.during(folder, async () => {
    try {
      // No container is frozen for an archive that can't be made.
      await pack(folder, location, { checkOnly: true });
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await writeFile(join(folder, "config.dump"), configDump(container, context.runtime(runtimeHandler).path, new Date()), {
        mode: 0o600,
      });
      await writeFile(join(folder, "status"), statusDump(container), { mode: 0o600 });
      await copyFile(join(sandbox.stateDir, "containers", id, "config.json"), join(folder, "spec.dump"));
      const goOn = await sandboxes.shim(sandboxId).checkpoint({ containerId: id, folder, timeoutMillis: timeoutMs }, signal);
      try {
        await pack(join(container.writableDir, "upper"), join(folder, "rootfs-diff.tar"), { isUpper: true });
      } catch (failure) {
        // Its deadline lets it go on, too.
        await goOn().catch(() => {});
        throw failure;
      }
      await goOn().catch(requireFrozen);
      await rm(join(folder, "runtime.log"), { force: true });
      await pack(folder, location);
    } finally {
      await helper.removeTree(folder);
    }
  });
}

function requireFrozen(failure: unknown): never {
  if (kindOf(failure) !== "not-found") throw failure;
  throw new AgentError("cancelled", "it had to go on before its files were read, for it is being stopped", { cause: failure });
}
