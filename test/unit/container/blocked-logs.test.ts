import test from "ava";
import type { ContainerId } from "../../../src/base/ids.ts";
import { BlockedLogs } from "../../../src/container/blocked-logs.ts";

const ONE = "one" as ContainerId;
const FULL = "write log /var/log/one.log: No space left on device";
const SECOND = 1_000_000_000n;

test("a log that can't be written is an event when that begins", (t) => {
  const logs = new BlockedLogs();
  t.false(logs.note(ONE, undefined, 100n * SECOND));
  t.true(logs.note(ONE, FULL, 101n * SECOND));
  t.is(logs.failure(ONE), FULL);
  t.false(logs.note(ONE, FULL, 200n * SECOND), "it was told");
  t.false(logs.note(ONE, "write log /var/log/one.log: Quota exceeded", 300n * SECOND), "another reason is no other event");
});

test("a disk that is full again and again is told once a minute, and what is so is known all the time", (t) => {
  const logs = new BlockedLogs();
  const told = Array.from({ length: 130 }, (_, second) => {
    const isTold = logs.note(ONE, FULL, BigInt(second) * SECOND);
    t.deepEqual(logs.ids(), [ONE]);
    logs.note(ONE, undefined, BigInt(second) * SECOND);
    t.deepEqual(logs.ids(), []);
    return isTold ? [second] : [];
  });
  t.deepEqual(told.flat(), [0, 60, 120]);
});

test("of a container that was removed nothing is known", (t) => {
  const logs = new BlockedLogs();
  logs.note(ONE, FULL, SECOND);
  logs.forget(ONE);
  t.is(logs.failure(ONE), undefined);
  t.true(logs.note(ONE, FULL, 2n * SECOND));
});
