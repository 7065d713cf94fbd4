import { status } from "@grpc/grpc-js";
import test from "ava";
import { AgentError } from "../../../src/base/errors.ts";
import { tell } from "../../../src/cli/failure.ts";

const SOCKET = "/run/berth/berth.sock";

const answer = (code: status, details: string): Error => Object.assign(new Error(`${code} ${status[code]}: ${details}`), { code, details });
const notConnected = (error: string): Error => answer(status.UNAVAILABLE, `No connection established. Last error: Error: connect ${error}`);

test("an answer's words are told without its code", (t) => {
  t.deepEqual(tell(answer(status.FAILED_PRECONDITION, "stop pod: it is gone"), SOCKET), { line: "stop pod: it is gone", hint: undefined });
});

test("an answer without words is told by its code", (t) => {
  t.is(tell(answer(status.INTERNAL, ""), SOCKET).line, "the node answered INTERNAL");
});

test("without a socket the hint says how to start the node", (t) => {
  t.deepEqual(tell(notConnected(`ENOENT ${SOCKET}`), SOCKET), {
    line: `connect ${SOCKET}: there is no such socket`,
    hint: "is berthd running? start it with `make up`",
  });
  t.regex(tell(notConnected(`ECONNREFUSED ${SOCKET}`), SOCKET).hint ?? "", /make up/);
});

test("without permission the hint says that root is needed", (t) => {
  t.like(tell(notConnected(`EACCES ${SOCKET}`), SOCKET), { line: `connect ${SOCKET}: permission denied`, hint: "berth needs root" });
  t.is(tell(Object.assign(new Error("EACCES: permission denied, open '/x'"), { code: "EACCES" }), SOCKET).hint, "berth needs root");
});

test("a node that went away in the middle is told as it is", (t) => {
  t.like(tell(answer(status.UNAVAILABLE, "Connection dropped"), SOCKET), { line: `ask the node at ${SOCKET}: Connection dropped` });
});

test("what the node does not offer has a hint at the versions", (t) => {
  t.regex(tell(answer(status.UNIMPLEMENTED, "unknown method"), SOCKET).hint ?? "", /berth version/);
});

test("an image that is not there has a hint at the pull that fetches it", (t) => {
  const failure = answer(status.NOT_FOUND, 'create container web: image "a.example/web:1" is not on this node; pull it first');
  t.is(tell(failure, SOCKET).hint, "fetch it with `berth pull a.example/web:1`");
});

test("another thing that is not there has no hint", (t) => {
  t.is(tell(answer(status.NOT_FOUND, "find container: no container has id 12"), SOCKET).hint, undefined);
});

test("a failure of several lines is told in one", (t) => {
  t.is(tell(answer(status.INTERNAL, "start: runtime said\n  no such file\n"), SOCKET).line, "start: runtime said; no such file");
});

test("our own errors are told by their message", (t) => {
  t.deepEqual(tell(new AgentError("not-found", "find pod: none"), SOCKET), { line: "find pod: none", hint: undefined });
  t.is(tell("thrown text", SOCKET).line, "thrown text");
});
