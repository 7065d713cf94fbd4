import test from "ava";
import { median, percentile } from "../../bench/statistics.ts";

const oneToTwenty = Array.from({ length: 20 }, (_, index) => 20 - index);

test("a percentile is a sample, the nearest one by rank, in whatever order they came", (t) => {
  t.is(percentile(oneToTwenty, 95), 19);
  t.is(percentile(oneToTwenty, 96), 20);
  t.is(percentile(oneToTwenty, 100), 20);
  t.is(percentile([7], 1), 7);
});

test("the median of an even number of samples is the lower of the two in the middle", (t) => {
  t.is(median([4, 1, 3, 2]), 2);
  t.is(median([30, 4, 5]), 5);
});

test("there is no percentile of nothing", (t) => {
  t.throws(() => percentile([], 50), { message: /no samples/ });
});
