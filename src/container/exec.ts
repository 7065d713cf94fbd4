// Exec and Attach: a process for somebody who uses it now, with its streams.
import { AgentError, wrap } from "../base/errors.ts";
import type { ContainerId } from "../base/ids.ts";
import type { ProcessIo } from "../native-client/process-io.ts";
import type { ContainerContext, FindContainer } from "./context.ts";
import type { ContainerRecord } from "./records.ts";
import { execProcess } from "./spec/build-spec.ts";
import { oomScoreAdj } from "./spec/resources.ts";

export type { ProcessIo, TerminalSize } from "../native-client/process-io.ts";

/**
 * Runs a command beside the container's, to its end; it is killed when `io.gone` is aborted.
 *
 * @returns its exit code
 * @throws AgentError failed-precondition when the container does not run, cancelled
 */
export async function exec(
  context: ContainerContext,
  find: FindContainer,
  id: ContainerId,
  command: readonly string[],
  tty: boolean,
  io: ProcessIo,
): Promise<number> {
  const container = requireRunning(find(id), "exec in");
  const sandbox = context.sandboxes.get(container.sandboxId);
  const image = context.images.get(container.imageId);
  context.expectMoves(sandbox.config.runtimeHandler);
  try {
    const process = execProcess(container, sandbox, image.config, context.node, command, tty);
    const value = {
      containerId: id,
      processJson: Buffer.from(JSON.stringify(process)),
      runtimePath: context.runtime(sandbox.config.runtimeHandler).path,
      timeoutMillis: 0,
      maxBytesPerStream: 0n,
      oomScoreAdj: oomScoreAdj(container.config.resources.oomScoreAdj, context.node, []),
      stdio: stdio(io, tty),
    };
    return await context.sandboxes.runSession(container.sandboxId, { $case: "exec", value }, io);
  } catch (failure) {
    throw wrap(failure, `exec in container ${id}`);
  }
}

/**
 * The streams of the container's own process, from now until it ends or `io.gone` is aborted.
 *
 * @returns its exit code
 * @throws AgentError failed-precondition when the container does not run, cancelled
 */
export async function attach(context: ContainerContext, find: FindContainer, id: ContainerId, io: ProcessIo): Promise<number> {
  const container = requireRunning(find(id), "attach to");
  try {
    const value = { containerId: id, stdio: stdio(io, container.config.tty === true) };
    return await context.sandboxes.runSession(container.sandboxId, { $case: "attach", value }, io);
  } catch (failure) {
    throw wrap(failure, `attach to container ${id}`);
  }
}

export function requireRunning(container: ContainerRecord, doing: string): ContainerRecord {
  if (container.state === "running") return container;
  throw new AgentError("failed-precondition", `${doing} container ${container.id}: it is ${container.state}`);
}

const stdio = ({ stdin, stdout, stderr }: ProcessIo, tty: boolean) => ({
  stdin: stdin !== undefined,
  stdout: stdout !== undefined,
  stderr: stderr !== undefined,
  tty,
});
