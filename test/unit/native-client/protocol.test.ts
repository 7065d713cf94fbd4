import { readFileSync } from "node:fs";
import test from "ava";
import { AgentError, kindOf, messageOf } from "../../../src/base/errors.ts";
import { explainUnknownCall, PROTOCOL_VERSION, requireFeature, requireProtocol } from "../../../src/native-client/protocol.ts";
import { SHIM_REVISION, shimRevisions, unlistedShape } from "../../upgrade/shim-revisions.ts";
import { wireShape } from "../../upgrade/wire-shape.ts";

const pinned = readFileSync(new URL(`../../upgrade/protocol-${PROTOCOL_VERSION}.txt`, import.meta.url), "utf8")
  .trim()
  .split("\n");
const present = wireShape();

test("what was promised of the native protocol is there, with its numbers and types", (t) => {
  t.true(pinned.length > 300);
  const there = new Set(present);
  t.deepEqual(
    pinned.filter((line) => !there.has(line)),
    [],
  );
});

test("a field that is not in the shape, or in another, is seen", (t) => {
  t.true(present.includes("ShimExec 7 stdio: message ShimStdio"));
  t.true(present.includes("ShimExec 6 oom_score_adj: sint32 optional"));
  t.true(present.includes("ShimHelloResult 4 containers: repeated message ShimContainer"));
  t.true(present.includes("ShimRequest 12 attach: message ShimAttach of call"));
  t.true(present.includes("ErrorKind 9 ERROR_KIND_UNIMPLEMENTED"));
});

test("what shims read and write has changed only with a new revision of them", (t) => {
  const listed = shimRevisions();
  const advice = "raise SHIM_REVISION in native/wire/src/lib.rs, then: node test/upgrade/pin-shim.ts";
  t.deepEqual(unlistedShape(present), [], advice);
  t.is(listed.at(-1)?.revision, SHIM_REVISION, advice);
  const there = new Set(present);
  t.deepEqual(
    listed.filter(({ line }) => !there.has(line)),
    [],
    "what shims of these revisions say and understand is no longer there",
  );
});

test("a field more in a message of the shim is seen, and one of the helper's alone is not", (t) => {
  t.deepEqual(unlistedShape([...present, "ShimExec 99 more: string"]), ["ShimExec 99 more: string"]);
  t.deepEqual(unlistedShape([...present, "ErrorKind 99 ERROR_KIND_OTHER"]), ["ErrorKind 99 ERROR_KIND_OTHER"]);
  t.deepEqual(unlistedShape([...present, "UnpackLayer 99 more: string"]), []);
});

test("a shim of an older build is not asked for what it would pass over", (t) => {
  t.notThrows(() => requireFeature(1, "streams of a process"));
  t.throws(() => requireFeature(1, "arguments of a runtime handler"));
  const failure = t.throws(() => requireFeature(0, "streams of a process"));
  t.is(kindOf(failure), "failed-precondition");
  t.regex(messageOf(failure), /use streams of a process: the pod was started by an older Berth, .* make the pod anew/);
});

test("a call that a shim does not know is a matter of its pod, and every other failure is itself", (t) => {
  t.is(kindOf(explainUnknownCall(new AgentError("unimplemented", "this shim does not know the call"))), "failed-precondition");
  const other = new AgentError("not-found", "no container");
  t.is(explainUnknownCall(other), other);
});

test("a peer of another protocol is refused, with both numbers and what to do", (t) => {
  t.notThrows(() => requireProtocol("helper", PROTOCOL_VERSION, ""));
  const failure = t.throws(() => requireProtocol("helper", PROTOCOL_VERSION + 1, "install the helper of this build"));
  t.is(kindOf(failure), "failed-precondition");
  t.is(messageOf(failure), "greet helper: it speaks protocol 2, and this berthd 1: install the helper of this build");
});
