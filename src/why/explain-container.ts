// What a container waits for when no call is under way. Pure.
import type { ContainerRecord } from "../container/records.ts";
import type { ShimContainer } from "../generated/berth/native/shim.ts";
import { type Answer, still, waiting } from "./answer.ts";

/** @param notes of its pod's shim */
export function explainContainer(
  container: ContainerRecord,
  shim: ShimContainer | undefined,
  nowNanos: bigint,
  notes: readonly string[] = [],
): Answer {
  const { state, startedAtNanos, createdAtNanos, finishedAtNanos, message } = container;
  const cause = shim === undefined || shim.logFailure === "" ? [] : [shim.logFailure];
  switch (state) {
    case "running":
      if (shim?.logBlocked === true)
        return waiting("its writes", "room for its log, which can't be written", startedAtNanos, nowNanos, cause);
      return still("running", startedAtNanos, nowNanos, notes);
    case "created":
      return still("created and never started,", createdAtNanos, nowNanos, notes);
    case "exited": {
      const unwritten = cause.map((words) => `the end of its log is not written yet: ${words}`);
      return still(`exited with ${exitWords(container)},`, finishedAtNanos, nowNanos, [...(message === "" ? [] : [message]), ...unwritten]);
    }
    case "unknown":
      return still("its state could not be found out; a stop settles it,", createdAtNanos, nowNanos, message === "" ? [] : [message]);
    default:
      return still("it was not created, and the next audit takes it back,", createdAtNanos, nowNanos);
  }
}

/** "137 (OOMKilled, limit 64.0 MiB)" */
function exitWords({ exitCode, reason, config }: ContainerRecord): string {
  const limit = config.resources.memoryLimitBytes ?? 0n;
  const bound = reason === "OOMKilled" && limit > 0n ? `, limit ${(Number(limit) / 2 ** 20).toFixed(1)} MiB` : "";
  return reason === "" ? String(exitCode) : `${exitCode} (${reason}${bound})`;
}
