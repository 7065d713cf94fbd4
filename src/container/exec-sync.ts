// ExecSync: one process beside the container's, to its end.
import { AgentError, wrap } from "../base/errors.ts";
import type { ContainerId } from "../base/ids.ts";
import type { ExecOutcome } from "../native-client/shim.ts";
import { namingCommand } from "./command-failure.ts";
import type { ContainerContext, FindContainer } from "./context.ts";
import { execProcess } from "./spec/build-spec.ts";
import { oomScoreAdj } from "./spec/resources.ts";

// The kubelet's own bound; what comes after is thrown away.
const MAX_OUTPUT_BYTES = 16n * 1024n * 1024n;
const MAX_TIMEOUT_SECONDS = 4_000_000n;

/**
 * @param timeoutSeconds 0n waits for ever
 * @param signal ends the command, with all that it has started, when nobody waits for it any more
 * @throws AgentError deadline-exceeded when the process was killed at its deadline, failed-precondition when the container does not run
 */
export async function execSync(
  context: ContainerContext,
  find: FindContainer,
  id: ContainerId,
  command: readonly string[],
  timeoutSeconds: bigint,
  signal: AbortSignal,
): Promise<ExecOutcome> {
  const container = find(id);
  if (container.state !== "running") throw new AgentError("failed-precondition", `exec in container ${id}: it is ${container.state}`);
  if (command.length === 0) throw new AgentError("invalid-argument", `exec in container ${id}: the command is empty`);
  if (timeoutSeconds < 0n || timeoutSeconds > MAX_TIMEOUT_SECONDS) {
    throw new AgentError(
      "invalid-argument",
      `exec in container ${id}: timeout ${timeoutSeconds} is not within 0 to ${MAX_TIMEOUT_SECONDS} seconds`,
    );
  }
  const sandbox = context.sandboxes.get(container.sandboxId);
  const image = context.images.get(container.imageId);
  context.expectMoves(sandbox.config.runtimeHandler);
  try {
    const process = execProcess(container, sandbox, image.config, context.node, command);
    const request = {
      containerId: id,
      processJson: Buffer.from(JSON.stringify(process)),
      runtimePath: context.runtime(sandbox.config.runtimeHandler).path,
      timeoutMillis: Number(timeoutSeconds) * 1000,
      maxBytesPerStream: MAX_OUTPUT_BYTES,
      // The container's own warnings have told already what this node may not set.
      oomScoreAdj: oomScoreAdj(container.config.resources.oomScoreAdj, context.node, []),
      stdio: undefined,
    };
    const outcome = await context.sandboxes.shim(container.sandboxId).exec(request, signal);
    if (outcome.timedOut)
      throw new AgentError("deadline-exceeded", `timed out: ${JSON.stringify(command[0])} was killed after ${timeoutSeconds} s`);
    return outcome;
  } catch (failure) {
    throw wrap(namingCommand(failure, command[0]), `exec in container ${id}`);
  }
}
