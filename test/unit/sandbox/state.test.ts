import test from "ava";
import { kindOf } from "../../../src/base/errors.ts";
import { nextSandboxState } from "../../../src/sandbox/state.ts";

test("a pod that was planned and not run is undone", (t) => {
  t.is(nextSandboxState("planned", "fail"), "removed");
});

test("stop may be repeated", (t) => {
  t.is(nextSandboxState("ready", "stop"), "notready");
  t.is(nextSandboxState("notready", "stop"), "notready");
});

test("a ready pod is not removed before it is stopped", (t) => {
  t.is(kindOf(t.throws(() => nextSandboxState("ready", "remove"))), "failed-precondition");
});
