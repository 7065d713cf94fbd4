import test from "ava";
import type { Difference } from "../../../src/audit/difference.ts";
import { Retries } from "../../../src/audit/retries.ts";
import { silentLog } from "../../../src/base/log.ts";

const link: Difference = {
  class: "link",
  object: "vetha",
  sandboxId: "aa",
  containerId: "",
  problem: "no endpoint has it on record",
  mend: { step: "delete-link", name: "vetha" },
};

function retries() {
  const lines: string[] = [];
  const clock = { ms: 0 };
  const log = {
    ...silentLog,
    warn: (_: unknown, message: string) => void lines.push(message),
    error: (_: unknown, message: string) => void lines.push(message),
  };
  return { lines, clock, retries: new Retries(log, () => clock.ms) };
}

test("a failure is told once, and tried again less and less often", (t) => {
  const { lines, clock, retries: tries } = retries();
  const due: number[] = [];
  for (; clock.ms <= 600_000; clock.ms += 60_000) {
    tries.seen([link]);
    if (!tries.isDue(link)) continue;
    due.push(clock.ms / 60_000);
    tries.tried(link, "it is busy");
  }
  t.deepEqual(due, [0, 1, 3, 7]);
  t.deepEqual(lines, ["a difference between records and what exists stays"]);
});

test("what was mended is told, and what comes again is new", (t) => {
  const { lines, retries: tries } = retries();
  tries.tried(link, "");
  t.true(tries.isDue(link));
  tries.tried(link, "it is busy");
  t.false(tries.isDue(link));
  tries.seen([]);
  t.true(tries.isDue(link));
  t.is(lines.length, 2);
});

test("what nobody but a person can mend is told once", (t) => {
  const { lines, retries: tries } = retries();
  const lost: Difference = { ...link, mend: { step: "none", advice: "run the pod again" } };
  tries.tried(lost, undefined);
  tries.tried(lost, undefined);
  tries.tried(link, undefined);
  t.is(lines.length, 1);
});
