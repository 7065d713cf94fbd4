// The lifecycle of a pod sandbox, as one table. It has no I/O.
import { AgentError } from "../base/errors.ts";

export type SandboxState = "planned" | "ready" | "notready" | "removed";
export type SandboxEvent = "run" | "fail" | "stop" | "lose" | "remove";

// planned: on disk before anything of it is made, and never shown; after a crash it is undone ("fail").
// lose: its shim ended without us. stop of a notready sandbox is how a retry finishes the teardown.
const SANDBOX_TRANSITIONS = {
  planned: { run: "ready", fail: "removed" },
  ready: { stop: "notready", lose: "notready" },
  notready: { stop: "notready", lose: "notready", remove: "removed" },
  removed: {},
} satisfies Record<SandboxState, Partial<Record<SandboxEvent, SandboxState>>>;

/** @throws AgentError failed-precondition when the table has no such arrow */
export function nextSandboxState(from: SandboxState, event: SandboxEvent): SandboxState {
  const row: Partial<Record<SandboxEvent, SandboxState>> = SANDBOX_TRANSITIONS[from];
  const to = row[event];
  if (to === undefined) throw new AgentError("failed-precondition", `${event} pod sandbox: it is ${from}`);
  return to;
}
