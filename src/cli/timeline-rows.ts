// When each stage of a pod's start was, and how long it took. Pure.
import type { TimelineStage } from "../generated/berth/v1/berth.ts";

export interface TimelineRow {
  readonly stage: string;
  /** since the first stage began */
  readonly atNanos: bigint;
  readonly tookNanos: bigint;
  /** "#" for when, on a scale from the first stage's start to the last one's end */
  readonly bar: string;
}

/**
 * @param stages in the order of their start
 * @returns the stages, then their total, which is from the first start to the last end: stages overlap
 */
export function timelineRows(stages: readonly TimelineStage[], barCharacters: number): TimelineRow[] {
  const firstNanos = stages[0]?.startedAtNanos ?? 0n;
  let endNanos = firstNanos;
  for (const { startedAtNanos, durationNanos } of stages) {
    if (startedAtNanos + durationNanos > endNanos) endNanos = startedAtNanos + durationNanos;
  }
  const totalNanos = endNanos - firstNanos;
  const column = (nanos: bigint): number => (totalNanos === 0n ? 0 : Math.floor((Number(nanos) * barCharacters) / Number(totalNanos)));
  const rows = stages.map(({ stage, startedAtNanos, durationNanos }): TimelineRow => {
    const atNanos = startedAtNanos - firstNanos;
    // However short, a stage is seen.
    const from = Math.min(column(atNanos), barCharacters - 1);
    const to = Math.max(from + 1, column(atNanos + durationNanos));
    return { stage, atNanos, tookNanos: durationNanos, bar: `${" ".repeat(from)}${"#".repeat(to - from)}` };
  });
  return [...rows, { stage: "total", atNanos: 0n, tookNanos: totalNanos, bar: "" }];
}
