import test from "ava";
import { LogSince } from "../../../src/cli/log-since.ts";
import { parseTimeNanos } from "../../../src/cli/times.ts";

const TIMES = { early: "2030-01-02T03:04:05.1Z", since: "2030-01-02T03:04:05.25Z", late: "2030-01-02T05:04:05.250000001+02:00" };
const since = () => new LogSince(parseTimeNanos(TIMES.since) ?? 0n);
const part = (text: string, time: string, ends = true, stream: "stdout" | "stderr" = "stdout") => ({
  time,
  stream,
  ends,
  text: Buffer.from(text),
});
const shown = (parts: ReturnType<typeof part>[], filter = since()): string =>
  filter
    .filter(parts)
    .map(({ text }) => text.toString())
    .join(" ");

test("lines are shown from the time on, to the nanosecond and in any zone", (t) => {
  t.is(shown([part("1", TIMES.early), part("2", TIMES.since), part("3", TIMES.late), part("4", TIMES.early)]), "2 3");
});

test("the parts of a line are as old as its first, also when they come later", (t) => {
  const filter = since();
  t.is(shown([part("a", TIMES.early, false), part("b", TIMES.late, true, "stderr")], filter), "b");
  t.is(shown([part("c", TIMES.late), part("d", TIMES.late)], filter), "d");
});

test("a line whose time can't be read is shown", (t) => {
  t.is(shown([part("1", ""), part("2", "T"), part("3", TIMES.early)]), "1 2");
});
