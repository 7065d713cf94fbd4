import test from "ava";
import { isEnough, quietest, undisturbed } from "../../bench/quiet-rounds.ts";

const rounds = (...othersCpus: number[]) => othersCpus.map((cpus, index) => ({ othersCpus: cpus, result: index }));

test("a round is undisturbed while others use less than 0.3 of a processor", (t) => {
  t.is(undisturbed(rounds(0, 0.29, 0.3, 1.5)), 2);
});

test("rounds go on until enough were undisturbed", (t) => {
  const wanted = { undisturbed: 2, most: 10 };
  t.false(isEnough(rounds(0.1, 0.9, 0.9), wanted));
  t.true(isEnough(rounds(0.1, 0.9, 0.9, 0.2), wanted));
});

test("rounds end at their bound on a machine that is never quiet", (t) => {
  t.true(isEnough(rounds(0.9, 0.9, 0.9, 0.9), { undisturbed: 2, most: 4 }));
});

test("the quietest are kept, and nothing else decides", (t) => {
  t.deepEqual(
    quietest(rounds(0.5, 0.1, 0.7, 0.2), 2).map(({ result }) => result),
    [1, 3],
  );
  t.is(quietest(rounds(0.5), 2).length, 1);
});
