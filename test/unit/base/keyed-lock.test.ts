import test from "ava";
import { CallsInFlight } from "../../../src/base/join-calls.ts";
import { KeyedLock } from "../../../src/base/keyed-lock.ts";

const gate = (): { promise: Promise<void>; open: () => void } => {
  let open = (): void => {};
  const promise = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { promise, open };
};

test("work of one key runs in the order of asking, also after a failure", async (t) => {
  const lock = new KeyedLock();
  const first = gate();
  const order: string[] = [];
  const one = lock.run("a", async () => {
    await first.promise;
    order.push("one");
    throw new Error("failed");
  });
  const two = lock.run("a", async () => void order.push("two"));
  first.open();
  await t.throwsAsync(one);
  await two;
  t.deepEqual(order, ["one", "two"]);
  t.false(lock.isHeld("a"));
});

test("a key that is held stalls no other", async (t) => {
  const lock = new KeyedLock();
  const first = gate();
  const stuck = lock.run("a", () => first.promise);
  t.is(await lock.run("b", async () => 7), 7);
  first.open();
  await stuck;
});

test("a retry of a call in flight gets its answer, and a later call starts anew", async (t) => {
  const calls = new CallsInFlight<number>();
  const first = gate();
  let started = 0;
  const start = async (): Promise<number> => {
    started++;
    await first.promise;
    return started;
  };
  const both = [calls.join("a", start), calls.join("a", start)];
  first.open();
  t.deepEqual(await Promise.all(both), [1, 1]);
  t.is(await calls.join("a", start), 2);
});
