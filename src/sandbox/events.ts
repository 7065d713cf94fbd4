// What is told of pods and containers when they change; derived from the records' states, so that nothing can change untold.
import type { EventRing } from "../base/event-ring.ts";
import type { SandboxRecord } from "./records.ts";
import type { SandboxState } from "./state.ts";

export type LifecycleEventType = "created" | "started" | "stopped" | "deleted";

interface LifecycleEvent {
  readonly type: LifecycleEventType;
  /** of the container; of the sandbox when the event is its own, as with containerd */
  readonly id: string;
  /** as it was then */
  readonly sandbox: SandboxRecord;
  readonly atNanos: bigint;
}

export type LifecycleEvents = EventRing<LifecycleEvent>;

const REACHED: Readonly<Record<SandboxState, readonly LifecycleEventType[]>> = {
  planned: [],
  ready: ["created", "started"],
  notready: ["stopped"],
  removed: [],
};

/** @param before undefined: there was none @param after undefined: it is gone */
export function sandboxEventTypes(before: SandboxRecord | undefined, after: SandboxRecord | undefined): readonly LifecycleEventType[] {
  if (after === undefined) return before === undefined || before.state === "planned" ? [] : ["deleted"];
  return before?.state === after.state ? [] : REACHED[after.state];
}
