import test from "ava";
import { formatTime, parseSince, parseTimeNanos } from "../../../src/cli/times.ts";

const NOON_MS = Date.UTC(2030, 0, 2, 12);
const NOON_NANOS = BigInt(NOON_MS) * 1_000_000n;

test("times are read with their nanoseconds, in any zone", (t) => {
  t.is(parseTimeNanos("2030-01-02T12:00:00Z"), NOON_NANOS);
  t.is(parseTimeNanos("2030-01-02T14:30:00.5+02:30"), NOON_NANOS + 500_000_000n);
  t.is(parseTimeNanos("2030-01-02t12:00:00.123456789z"), NOON_NANOS + 123_456_789n);
});

test("what is no time of RFC 3339 is none", (t) => {
  for (const text of [
    "",
    "T",
    "2030-01-02",
    "2030-01-02T12:00:00",
    "2030-13-02T12:00:00Z",
    "2030-01-02T12:00:00.Z",
    "2030-01-02T12:00:00+0200",
  ]) {
    t.is(parseTimeNanos(text), undefined, text);
  }
});

test("a duration is so long ago", (t) => {
  const ago = (text: string): bigint => (NOON_NANOS - parseSince(text, NOON_MS)) / 1_000_000_000n;
  t.deepEqual(["10s", "5m", "2h", "1h30m", "1d", "0s"].map(ago), [10n, 300n, 7200n, 5400n, 86_400n, 0n]);
});

test("a point in time may be a time as well", (t) => {
  t.is(parseSince("2030-01-02T11:00:00Z", NOON_MS), NOON_NANOS - 3_600_000_000_000n);
});

for (const text of ["", "10", "-5m", "5 m", "m", "5s1h", "1.5h", "noon"]) {
  test(`${JSON.stringify(text)} is no time and no duration`, (t) => {
    t.throws(() => parseSince(text, NOON_MS), { name: "UsageError" });
  });
}

test("a time is told to the nanosecond", (t) => {
  t.is(formatTime(NOON_NANOS + 1_000_050n), "2030-01-02T12:00:00.001000050Z");
});
