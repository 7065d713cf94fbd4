import test from "ava";
import { batches } from "../../../src/cri/batches.ts";

test("all of a list comes, in order, in messages of at most a hundred", (t) => {
  const items = Array.from({ length: 205 }, (_, index) => index);
  const all = [...batches(items)];
  t.deepEqual(
    all.map(({ length }) => length),
    [100, 100, 5],
  );
  t.deepEqual(all.flat(), items);
});

test("an empty list has no message", (t) => {
  t.deepEqual([...batches([], 10)], []);
});
