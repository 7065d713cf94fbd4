import test from "ava";
import { CpuRates } from "../../../src/stats/cpu-rates.ts";

const SECOND = 1_000_000_000n;

test("the first question has no rate, and each later one that since the one before", (t) => {
  const rates = new CpuRates();
  t.is(rates.rate("a", SECOND, 0n), undefined);
  t.is(rates.rate("a", 3n * SECOND, SECOND), 500_000_000n);
  t.is(rates.rate("a", 4n * SECOND, 3n * SECOND), 2_000_000_000n);
});

test("a question right after another gets the same rate", (t) => {
  const rates = new CpuRates();
  t.is(rates.rate("a", SECOND, 0n), undefined);
  t.is(rates.rate("a", SECOND + 1n, SECOND), undefined);
  t.is(rates.rate("a", 2n * SECOND, SECOND), SECOND);
  t.is(rates.rate("a", 2n * SECOND + 99_999_999n, 9n * SECOND), SECOND);
});

test("a cgroup that was made anew, and a clock that was set back, begin again", (t) => {
  const rates = new CpuRates();
  rates.rate("a", SECOND, 5n * SECOND);
  t.is(rates.rate("a", 2n * SECOND, SECOND), undefined);
  t.is(rates.rate("a", 3n * SECOND, 2n * SECOND), SECOND);
  t.is(rates.rate("a", SECOND, 3n * SECOND), undefined);
  t.is(rates.rate("a", 2n * SECOND, 4n * SECOND), SECOND);
});
