import test from "ava";
import { withBackoff } from "../../../src/base/backoff.ts";

const quick = { firstMs: 1, mostMs: 4 };

test("work is done again until it succeeds", async (t) => {
  let tries = 0;
  const result = await withBackoff(
    quick,
    () => true,
    async () => {
      if (++tries < 4) throw new Error("not yet");
      return tries;
    },
  );
  t.is(result, 4);
});

test("a failure that another try can't mend is thrown at once", async (t) => {
  let tries = 0;
  await t.throwsAsync(
    withBackoff(
      quick,
      () => false,
      async () => {
        tries++;
        throw new Error("never");
      },
    ),
    { message: "never" },
  );
  t.is(tries, 1);
});

test("when the time is up the last failure is thrown", async (t) => {
  let tries = 0;
  const failure = await t.throwsAsync(
    withBackoff(
      { ...quick, giveUpMs: 30 },
      () => true,
      async () => {
        throw new Error(`try ${++tries}`);
      },
    ),
  );
  t.is(failure.message, `try ${tries}`);
});

test("there are no more tries than there may be", async (t) => {
  const tried: number[] = [];
  await t.throwsAsync(
    withBackoff(
      { ...quick, tries: 3 },
      (_failure, count) => tried.push(count) > 0,
      async () => {
        throw new Error("never");
      },
    ),
  );
  t.deepEqual(tried, [1, 2, 3]);
});

test("a failure may say when another try helps at the earliest, and beyond the end there is none", async (t) => {
  const begun = performance.now();
  let tries = 0;
  const fails = async (): Promise<never> => {
    tries++;
    throw new Error("not yet");
  };
  await t.throwsAsync(withBackoff({ ...quick, tries: 2, jitter: 1 }, () => 50, fails));
  t.true(performance.now() - begun > 45);
  await t.throwsAsync(withBackoff({ ...quick, giveUpMs: 1000 }, () => 5000, fails));
  t.is(tries, 3);
});

test("a wait that is given up ends with the failure before it", async (t) => {
  const waiting = withBackoff(
    { firstMs: 60_000, mostMs: 60_000 },
    () => true,
    async () => {
      throw new Error("the failure");
    },
    AbortSignal.timeout(10),
  );
  await t.throwsAsync(waiting, { message: "the failure" });
});
