import test from "ava";
import { LogParser, LogRenderer, LogTail, type LogPart } from "../../../src/cli/cri-log.ts";

const line = (stream: string, tag: string, text: string, time = "2030-01-02T03:04:05.6Z"): string => `${time} ${stream} ${tag} ${text}\n`;

function parse(...pieces: string[]): LogPart[] {
  const parser = new LogParser();
  return pieces.flatMap((piece) => parser.push(Buffer.from(piece)));
}

const shown = (parts: readonly LogPart[], timestamps = false): string[] =>
  new LogRenderer(timestamps).render(parts).map(({ stream, bytes }) => `${stream}: ${bytes.toString()}`);

test("each stream has its own lines", (t) => {
  const parts = parse(line("stdout", "F", "one"), line("stderr", "F", "bad"), line("stdout", "F", "two"));
  t.deepEqual(shown(parts), ["stdout: one\n", "stderr: bad\n", "stdout: two\n"]);
});

test("parts are joined to the line they were", (t) => {
  t.deepEqual(shown(parse(line("stdout", "P", "a "), line("stdout", "P", "b"), line("stdout", "F", "c"))), ["stdout: a bc\n"]);
});

test("a last line that never ended is shown without an end", (t) => {
  t.deepEqual(shown(parse(line("stdout", "P", "prompt> "))), ["stdout: prompt> "]);
});

test("text keeps its spaces, and may be empty", (t) => {
  t.deepEqual(shown(parse(line("stdout", "F", "  two  spaces "), line("stdout", "F", ""))), ["stdout:   two  spaces \n\n"]);
});

test("bytes that are no text stay as they are", (t) => {
  const parser = new LogParser();
  const text = Buffer.from([0xff, 0x00, 0xc3, 0x28]);
  const parts = parser.push(Buffer.concat([Buffer.from("T stdout F "), text, Buffer.from("\n")]));
  t.deepEqual(parts[0]?.text, text);
});

test("a line that comes in pieces is whole when its end has come", (t) => {
  const parser = new LogParser();
  t.deepEqual(parser.push(Buffer.from("2030-01-02T03:04:05Z std")), []);
  t.deepEqual(shown(parser.push(Buffer.from("out F hello\nT stderr"))), ["stdout: hello\n"]);
});

test("a line that the file ends in the middle of shows what there is", (t) => {
  const parser = new LogParser();
  parser.push(Buffer.from("T stdout F cut of"));
  t.deepEqual(shown(parser.finish()), ["stdout: cut of"]);
  parser.push(Buffer.from("T stdo"));
  t.deepEqual(parser.finish(), []);
});

test("further tags after the first are passed over", (t) => {
  t.deepEqual(shown(parse(line("stdout", "F:x:y", "text"))), ["stdout: text\n"]);
});

test("a line of another form is shown as it is", (t) => {
  t.deepEqual(shown(parse("no log line\n")), ["stdout: no log line\n"]);
});

test("a time stands before a line, and not before its parts", (t) => {
  const parts = parse(line("stdout", "P", "a", "T1"), line("stdout", "F", "b", "T2"), line("stdout", "F", "c", "T3"));
  t.deepEqual(shown(parts, true), ["stdout: T1 ab\nT3 c\n"]);
});

function tail(lines: number, ...pieces: string[]): string {
  const last = new LogTail(lines);
  last.push(parse(...pieces));
  return shown(last.lines()).join("");
}

test("the last lines are whole lines with all of their parts", (t) => {
  const log = [line("stdout", "F", "1"), line("stdout", "P", "2"), line("stderr", "F", "3"), line("stdout", "F", "2")];
  t.is(tail(1, ...log), "stdout: 22\n");
  t.is(tail(2, ...log), "stderr: 3\nstdout: 22\n");
  t.is(tail(0, ...log), "");
});

test("a line that has not ended yet is the last one", (t) => {
  t.is(tail(1, line("stdout", "F", "1"), line("stdout", "P", "2")), "stdout: 2");
});

test("the last lines of a long log are its last", (t) => {
  const log = Array.from({ length: 5000 }, (_, index) => line("stdout", "F", String(index)));
  t.is(tail(2, ...log), "stdout: 4998\n4999\n");
});
