import test from "ava";
import { inParallel } from "../../../src/image/in-parallel.ts";
import { never } from "../../lib/image-service.ts";

test("no more is under way than may be, and all is done", async (t) => {
  let [running, most] = [0, 0];
  const done: number[] = [];
  await inParallel(3, [1, 2, 3, 4, 5, 6, 7], never, async (item) => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setImmediate(resolve));
    running--;
    done.push(item);
  });
  t.is(most, 3);
  t.deepEqual(done.sort(), [1, 2, 3, 4, 5, 6, 7]);
});

test("the first failure stops the rest, and is the one that is told", async (t) => {
  const begun: number[] = [];
  const failure = await t.throwsAsync(
    inParallel(2, [1, 2, 3, 4], never, async (item, signal) => {
      begun.push(item);
      if (item === 2) throw new Error("two");
      await new Promise<void>((_resolve, reject) => signal.addEventListener("abort", () => reject(new Error("stopped"))));
    }),
  );
  t.is(failure.message, "two");
  t.deepEqual(begun, [1, 2]);
});
