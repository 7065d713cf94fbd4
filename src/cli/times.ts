// Points in time as people and logs write them. Pure.
import { UsageError } from "./failure.ts";

const RFC_3339 = /^(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?([Zz]|[+-]\d\d:\d\d)$/;
const DURATION = /^(?:(\d{1,6})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s)?$/;
const SECONDS = [86_400, 3_600, 60, 1];
const NANOS_PER_SECOND = 1_000_000_000n;

/** Nanoseconds since the epoch; undefined for what is no time of RFC 3339. */
export function parseTimeNanos(text: string): bigint | undefined {
  const [, date, time, fraction = "", zone = ""] = RFC_3339.exec(text) ?? [];
  const ms = date === undefined ? Number.NaN : Date.parse(`${date}T${time}${zone.toUpperCase()}`);
  return Number.isNaN(ms) ? undefined : BigInt(ms) * 1_000_000n + BigInt(fraction.padEnd(9, "0"));
}

/** A time, or how long ago: "10s", "5m", "1h30m". @returns nanoseconds since the epoch @throws UsageError */
export function parseSince(text: string, nowMs: number): bigint {
  const nanos = parseTimeNanos(text);
  if (nanos !== undefined) return nanos;
  const parts = text === "" ? null : DURATION.exec(text);
  if (parts === null)
    throw new UsageError(`${JSON.stringify(text)} is no time such as 2030-01-02T15:04:05Z, and no duration such as 10s, 5m or 2h`);
  const seconds = SECONDS.reduce((sum, unit, index) => sum + BigInt(parts[index + 1] ?? 0) * BigInt(unit), 0n);
  return BigInt(nowMs) * 1_000_000n - seconds * NANOS_PER_SECOND;
}

/** "2030-01-02T15:04:05.123456789Z" */
export function formatTime(nanos: bigint): string {
  const seconds = new Date(Number(nanos / NANOS_PER_SECOND) * 1000).toISOString().slice(0, 19);
  return `${seconds}.${String(nanos % NANOS_PER_SECOND).padStart(9, "0")}Z`;
}
