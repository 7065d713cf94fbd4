// The lifecycle of a container, as one table. It has no I/O.
import { AgentError } from "../base/errors.ts";

export type ContainerState = "planned" | "created" | "running" | "exited" | "unknown" | "removed";
export type ContainerEvent = "make" | "fail" | "start" | "exit" | "lose" | "remove";

// planned: on disk before anything of it is made, and never shown; after a crash it is undone ("fail").
// created → exited: a start that failed, kept so that the kubelet can read the reason.
// lose: recovery couldn't tell; a stop settles it.
const CONTAINER_TRANSITIONS = {
  planned: { make: "created", fail: "removed", remove: "removed" },
  created: { start: "running", exit: "exited", lose: "unknown", remove: "removed" },
  running: { exit: "exited", lose: "unknown" },
  exited: { remove: "removed" },
  unknown: { exit: "exited" },
  removed: {},
} satisfies Record<ContainerState, Partial<Record<ContainerEvent, ContainerState>>>;

/** @throws AgentError failed-precondition when the table has no such arrow */
export function nextContainerState(from: ContainerState, event: ContainerEvent): ContainerState {
  const row: Partial<Record<ContainerEvent, ContainerState>> = CONTAINER_TRANSITIONS[from];
  const to = row[event];
  if (to === undefined) throw new AgentError("failed-precondition", `${event} container: it is ${from}`);
  return to;
}
