import test from "ava";
import { kindOf } from "../../../src/base/errors.ts";
import { nextContainerState } from "../../../src/container/state.ts";

test("a failed start ends in exited, so that the kubelet sees the reason", (t) => {
  t.is(nextContainerState("created", "exit"), "exited");
});

test("a running container refuses to be started", (t) => {
  t.is(kindOf(t.throws(() => nextContainerState("running", "start"))), "failed-precondition");
});

test("a running container is not removed before it has exited", (t) => {
  t.is(kindOf(t.throws(() => nextContainerState("running", "remove"))), "failed-precondition");
});
