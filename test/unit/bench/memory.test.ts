import { basename } from "node:path";
import test from "ava";
import { memoryOf, pssKib, sumOf } from "../../bench/memory.ts";

const ROLLUP = `55f0c4a00000-7ffd1b7f2000 ---p 00000000 00:00 0                          [rollup]
Rss:                4320 kB
Pss:                1234 kB
Pss_Dirty:           620 kB
Pss_Anon:            600 kB
SwapPss:               0 kB
`;

test("the proportional set size is read, and none of its parts", (t) => {
  t.is(pssKib(ROLLUP), 1234);
});

test("a text without it is no 0", (t) => {
  t.throws(() => pssKib("Rss: 4320 kB\n"), { message: /no Pss/ });
});

test("memory is summed by program, a process may have a name of its own, and one that has ended has none", (t) => {
  const none = 0x7fff_fffe;
  t.deepEqual([...memoryOf([process.pid, none], new Map()).keys()], [basename(process.execPath)]);
  const named = memoryOf([process.pid], new Map([[process.pid, "berth"]]));
  t.deepEqual([...named.keys()], ["berth"]);
  t.true((named.get("berth") ?? 0) > 1024);
});

test("a sum is of the programs that count", (t) => {
  const memory = new Map([
    ["berth", 100],
    ["berth-shim", 20],
    ["bench-hold", 7],
  ]);
  t.is(
    sumOf(memory, (program) => program !== "bench-hold"),
    120,
  );
});
