import test from "ava";
import { Activities } from "../../../src/base/activity.ts";
import { KeyedLock } from "../../../src/base/keyed-lock.ts";

function activities() {
  const clock = { nanos: 0n };
  return { clock, all: new Activities({ nowNanos: () => clock.nanos }) };
}

test("a call is seen with its stage while it goes on, and not after it", async (t) => {
  const { clock, all } = activities();
  await all.during("PullImage", { objectId: "a:1", names: ["a"] }, async (show) => {
    clock.nanos = 5n;
    show("manifest", 9n);
    t.like(all.named("a")[0], { call: "PullImage", sinceNanos: 0n, stage: "manifest", stageSinceNanos: 5n, untilNanos: 9n });
    t.is(all.of("a:1").length, 1);
  });
  t.deepEqual(all.of("a:1"), []);
  await t.throwsAsync(all.during("PullImage", { objectId: "a:1" }, () => Promise.reject(new Error("no"))));
  t.deepEqual(all.of("a:1"), []);
});

test("who waits for a lock says so, until it is his turn", async (t) => {
  const { all } = activities();
  const lock = new KeyedLock();
  const { promise: held, resolve: letGo } = Promise.withResolvers<void>();
  const first = all.inTurn("StopContainer", { objectId: "c", parentId: "p" }, lock, () => held);
  const second = all.inTurn("RemoveContainer", { objectId: "c", parentId: "p" }, lock, async () => all.of("p"));
  t.deepEqual(
    all.of("p").map(({ call, waitsForLock }) => [call, waitsForLock]),
    [
      ["StopContainer", false],
      ["RemoveContainer", true],
    ],
  );
  letGo();
  await first;
  t.like(
    (await second).find(({ call }) => call === "RemoveContainer"),
    { waitsForLock: false },
  );
});
