import test from "ava";
import { AgentError, allAtOnce, allSteps, during, kindOf, wrap } from "../../../src/base/errors.ts";

test("wrapping keeps the kind and adds what was being done", (t) => {
  const error = wrap(new AgentError("not-found", "no such pod"), "stop pod 1");
  t.is(error.kind, "not-found");
  t.is(error.message, "stop pod 1: no such pod");
});

test("what is not ours is internal", (t) => {
  t.is(kindOf(new TypeError("x")), "internal");
});

test("during gives context to what its work throws", async (t) => {
  const failed = during("read file a", () => Promise.reject(new Error("gone")));
  await t.throwsAsync(failed, { message: "read file a: gone" });
});

test("teardown runs every step and leads with the first failure", async (t) => {
  const ran: number[] = [];
  const error = await t.throwsAsync(
    allSteps("take down", [
      async () => void ran.push(1),
      () => Promise.reject(new AgentError("unavailable", "second")),
      async () => void ran.push(3),
      () => Promise.reject(new Error("fourth")),
    ]),
  );
  t.deepEqual(ran, [1, 3]);
  t.is(error.message, "take down: second; fourth");
  t.is(kindOf(error), "unavailable");
});

test("steps at once are all waited for, whatever becomes of the others", async (t) => {
  const ran: number[] = [];
  const slow = new Promise<void>((resolve) => setImmediate(resolve)).then(() => void ran.push(3));
  const error = await t.throwsAsync(
    allAtOnce("take down", [
      Promise.resolve(1),
      Promise.reject(new AgentError("unavailable", "second")),
      slow,
      Promise.reject(new Error("fourth")),
    ]),
  );
  t.deepEqual(ran, [3]);
  t.is(error.message, "take down: second; fourth");
  t.is(kindOf(error), "unavailable");
  await t.notThrowsAsync(allAtOnce("take down", [Promise.resolve()]));
});
