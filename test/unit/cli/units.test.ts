import test from "ava";
import { formatAge, formatBytes, formatMillis, parseBytes, parseWhole } from "../../../src/cli/units.ts";

test("sizes are told in binary units with one digit", (t) => {
  t.is(formatBytes(0n), "0 B");
  t.is(formatBytes(1023n), "1023 B");
  t.is(formatBytes(1024n), "1.0 KiB");
  t.is(formatBytes(12_897_485n), "12.3 MiB");
  t.is(formatBytes(5n * 1024n ** 4n), "5.0 TiB");
});

test("a size just under a unit is told in that unit", (t) => {
  t.is(formatBytes(1024n * 1024n - 1n), "1.0 MiB");
});

test("sizes are read with or without a unit, all binary", (t) => {
  t.is(parseBytes("512"), 512n);
  t.is(parseBytes("64m"), 64n * 1024n * 1024n);
  t.is(parseBytes("64MiB"), 64n * 1024n * 1024n);
  t.is(parseBytes("1.5g"), 1536n * 1024n * 1024n);
  t.is(parseBytes("10 kb"), 10_240n);
});

for (const text of ["", "m", "-1", "1x", "1.m", "64mm", "0x10"]) {
  test(`${JSON.stringify(text)} is no size`, (t) => {
    t.throws(() => parseBytes(text), { name: "UsageError" });
  });
}

test("ages are told in their largest unit, rounded down", (t) => {
  const nowMs = 1_000_000_000;
  const ageOf = (seconds: number): string => formatAge(BigInt(nowMs - seconds * 1000) * 1_000_000n, nowMs);
  t.deepEqual([0, 3, 59, 60, 3599, 7200, 86_399, 4 * 86_400].map(ageOf), ["0s", "3s", "59s", "1m", "59m", "2h", "23h", "4d"]);
});

test("what lies in the future by a clock that was set back is new, and what never was has no age", (t) => {
  t.is(formatAge(2_000_000_000n, 1_000), "0s");
  t.is(formatAge(0n, 1_000), "-");
});

test("durations are milliseconds with one digit", (t) => {
  t.is(formatMillis(1_250_000n), "1.3");
});

test("a whole number is read within its bounds only", (t) => {
  t.is(parseWhole("10", 0, 10), 10);
  for (const text of ["11", "-1", "1.5", "ten", ""]) t.throws(() => parseWhole(text, 0, 10), { name: "UsageError" });
});
