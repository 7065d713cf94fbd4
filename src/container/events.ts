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
  return before?.state === after.state ? [] : REACHED[after.state];
}
