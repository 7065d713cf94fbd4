import test from "ava";
import { countsOfAva, countsOfCargo, failuresOfAva, failuresOfCargo } from "../../lib/runner-output.ts";

const AVA = `
  ✔ pods › one runs (12ms)
  ✘ [fail]: pods › one is gone
  ✘ [fail]: stuck › a runtime that hangs is killed Rejected promise returned by test
  ✔ why › it says why (1.2s)
  ─

  pods › one is gone

  test/integration/pods.test.ts:135

   134: test("one is gone", async (t) =…

  Difference (- actual, + expected):

  - 1
  + 0



  stuck › a runtime that hangs is killed

  test/integration/stuck.test.ts:9

  Rejected promise returned by test. Reason:

  Error {
    message: 'deadline',
  }

  ─

  2 tests failed
`;

const CARGO = `
test endpoint::tests::addresses_are_kept ... ok
test pool::tests::work_is_done ... FAILED

---- pool::tests::work_is_done stdout ----

thread 'pool::tests::work_is_done' (41) panicked at helper/src/pool.rs:80:9:
assertion failed

test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s
`;

test("what ava has run is counted, and each failed test is told with its own words", (t) => {
  t.deepEqual(countsOfAva(AVA), { passed: 2, failed: 2 });
  const [gone, stuck, ...others] = failuresOfAva(AVA);
  t.deepEqual(others, []);
  t.regex(gone ?? "", /^\[fail\]: pods › one is gone\n.*pods\.test\.ts:135[\s\S]*- 1\n {2}\+ 0$/);
  t.regex(stuck ?? "", /^\[fail\]: stuck › .*\n.*stuck\.test\.ts:9[\s\S]*'deadline',\n {2}\}$/);
});

test("a failed test of which ava says nothing more is told by its name", (t) => {
  t.deepEqual(failuresOfAva("  ✘ [fail]: pods › one is gone\n"), ["[fail]: pods › one is gone"]);
});

test("what cargo has run is counted, and each failed test is told with the place of its panic", (t) => {
  t.deepEqual(countsOfCargo(CARGO), { passed: 1, failed: 1 });
  t.deepEqual(failuresOfCargo(CARGO), [
    "pool::tests::work_is_done",
    "thread 'pool::tests::work_is_done' (41) panicked at helper/src/pool.rs:80:9:",
  ]);
});
