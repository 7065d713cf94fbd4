// Which events a change of a container's record means.
import type { LifecycleEventType } from "../sandbox/events.ts";
import type { ContainerRecord } from "./records.ts";
import type { ContainerState } from "./state.ts";

const REACHED: Readonly<Record<ContainerState, readonly LifecycleEventType[]>> = {
  planned: [],
  created: ["created"],
  running: ["started"],
  exited: ["stopped"],
  unknown: [],
  removed: [],
};

/** @param before undefined: there was none @param after undefined: it is gone */
export function containerEventTypes(
  before: ContainerRecord | undefined,
  after: ContainerRecord | undefined,
): readonly LifecycleEventType[] {
  if (after === undefined) return before === undefined || before.state === "planned" ? [] : ["deleted"];
  if (before?.state === after.state) return [];
  // It has started and ended while nobody was there to record it.
  const isStartUntold = before?.state === "created" && after.state === "exited" && after.startedAtNanos > 0n;
  return isStartUntold ? [...REACHED.running, ...REACHED.exited] : REACHED[after.state];
}
