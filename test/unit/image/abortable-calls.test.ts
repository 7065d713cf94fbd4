import test from "ava";
import { AgentError } from "../../../src/base/errors.ts";
import { AbortableCalls } from "../../../src/image/abortable-calls.ts";
import { never } from "../../lib/image-service.ts";

/** Work that ends when it is told to, or given up. */
function work() {
  let end: (value: string) => void = () => {};
  const state = { begun: 0, aborted: false, end: (value: string) => end(value) };
  const start = (signal: AbortSignal): Promise<string> => {
    state.begun++;
    return new Promise((resolve, reject) => {
      end = resolve;
      signal.addEventListener("abort", () => {
        state.aborted = true;
        reject(new Error("given up"));
      });
    });
  };
  return { state, start };
}

test("who asks for the same thing at the same time gets the same answer", async (t) => {
  const calls = new AbortableCalls<string>();
  const { state, start } = work();
  const both = [calls.join("k", never, start), calls.join("k", never, start)];
  state.end("done");
  t.deepEqual(await Promise.all(both), ["done", "done"]);
  t.is(state.begun, 1);
});

test("who goes away first fails nobody else", async (t) => {
  const calls = new AbortableCalls<string>();
  const { state, start } = work();
  const leaving = new AbortController();
  const first = calls.join("k", leaving.signal, start);
  const second = calls.join("k", never, start);
  leaving.abort(new AgentError("cancelled", "bye"));
  t.like(await t.throwsAsync(first), { kind: "cancelled", message: "bye" });
  t.false(state.aborted);
  state.end("done");
  t.is(await second, "done");
});

test("the work is given up when the last one has gone, and who comes then begins anew", async (t) => {
  const calls = new AbortableCalls<string>();
  const { state, start } = work();
  const leaving = new AbortController();
  const first = calls.join("k", leaving.signal, start);
  leaving.abort();
  await t.throwsAsync(first);
  t.true(state.aborted);
  const second = calls.join("k", never, start);
  t.is(state.begun, 2);
  state.end("again");
  t.is(await second, "again");
});

test("a deadline is told as one", async (t) => {
  const { start } = work();
  t.like(await t.throwsAsync(new AbortableCalls<string>().join("k", AbortSignal.timeout(1), start)), { kind: "deadline-exceeded" });
});

test("a failure is everybody's, and the next one begins anew", async (t) => {
  const calls = new AbortableCalls<string>();
  const fail = async (): Promise<string> => {
    throw new AgentError("not-found", "none");
  };
  for (const call of [calls.join("k", never, fail), calls.join("k", never, fail)]) t.like(await t.throwsAsync(call), { kind: "not-found" });
  t.is(await calls.join("k", never, async () => "ok"), "ok");
});
