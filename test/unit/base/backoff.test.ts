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
  await t.throwsAsync(
    withBackoff(
      { ...quick, giveUpMs: 30 },
      () => true,
      async () => {
        throw new Error(`try ${++tries}`);
      },
    ),
    { message: /^try \d+$/ },
  );
  t.true(tries > 1);
});
