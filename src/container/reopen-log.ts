// ReopenContainerLog: the log's file was renamed; what is written from now on goes to a new one of the old name.
import { AgentError, wrap } from "../base/errors.ts";
import type { ContainerId } from "../base/ids.ts";
import type { ContainerContext, FindContainer } from "./context.ts";

/** @throws AgentError failed-precondition when the container does not run; then no new file is made */
export async function reopenLog(context: ContainerContext, find: FindContainer, id: ContainerId): Promise<void> {
  const container = find(id);
  if (container.state !== "running") throw new AgentError("failed-precondition", `reopen log of container ${id}: it is ${container.state}`);
  try {
    await context.sandboxes.shim(container.sandboxId).reopenLog(id);
  } catch (failure) {
    throw wrap(failure, `reopen log of container ${id}`);
  }
}
