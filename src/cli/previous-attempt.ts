// The container that another one has come after. Pure.
import { AgentError } from "../base/errors.ts";
import { ContainerState } from "../generated/cri/runtime/v1/api.ts";
import type { ContainerEntry } from "./inventory.ts";

/**
 * The newest exited one before it, of the same name and in the same pod.
 *
 * @throws AgentError not-found
 */
export function previousAttempt(container: ContainerEntry, containers: readonly ContainerEntry[]): ContainerEntry {
  const { podId, name, attempt } = container;
  const [newest] = containers
    .filter((each) => each.podId === podId && each.name === name && each.attempt < attempt)
    .filter(({ state }) => state === ContainerState.CONTAINER_EXITED)
    .sort((a, b) => b.attempt - a.attempt);
  if (newest === undefined) throw new AgentError("not-found", `find what ran before container ${name}: its pod has none that has exited`);
  return newest;
}
