// The answer to "what does it wait for", and how it is put into one line. Pure.

export interface Answer {
  /** "StartContainer"; "" when nothing is being done */
  readonly call: string;
  /** after "waits for": "the OCI runtime's create"; "" for nothing */
  readonly waitsFor: string;
  /** since it waits, or is as it is; 0n when that is not known */
  readonly sinceNanos: bigint;
  /** when that ends by itself; 0n for never */
  readonly untilNanos: bigint;
  /** what a person should know besides */
  readonly notes: readonly string[];
  readonly line: string;
}

/** Something is being done. */
export function waiting(
  call: string,
  waitsFor: string,
  sinceNanos: bigint,
  nowNanos: bigint,
  notes: readonly string[] = [],
  untilNanos = 0n,
): Answer {
  const words = `${call}: waits for ${waitsFor}, since ${duration(nowNanos - sinceNanos)}`;
  return { call, waitsFor, sinceNanos, untilNanos, notes, line: [words, ...notes].join("; ") };
}

/** Nothing is being done, and it is as it is. */
export function still(state: string, sinceNanos: bigint, nowNanos: bigint, notes: readonly string[] = []): Answer {
  const words = sinceNanos === 0n ? state : `${state} since ${duration(nowNanos - sinceNanos)}`;
  return { call: "", waitsFor: "", sinceNanos, untilNanos: 0n, notes, line: [`nothing: ${words}`, ...notes].join("; ") };
}

const UNITS = [
  ["d", 86_400, 2],
  ["h", 3_600, 2],
  ["min", 60, 2],
] as const;

/** "0.4 s", "45 s", "12 min", "3 h": two digits are enough for people. */
export function duration(nanos: bigint): string {
  const seconds = Math.max(0, Number(nanos / 1_000_000n) / 1000);
  const [unit, length] = UNITS.find(([, length, least]) => seconds >= length * least) ?? ["s", 1];
  return unit === "s" && seconds < 10 ? `${seconds.toFixed(1)} s` : `${Math.floor(seconds / length)} ${unit}`;
}
