// Whatever of Berth is killed, and whenever: short runs of the crash suite. `make campaign` makes long ones.
import test from "ava";
import { runCrashes } from "../crash/run-crashes.ts";
import { runLogLines } from "../crash/run-log-lines.ts";
import { runShimLosses } from "../crash/run-shim-losses.ts";
import { TestNode } from "../lib/node.ts";
import { SmallDisk } from "../lib/small-disk.ts";
import { shared } from "../lib/teardown.ts";

const LOG_DISK_MEBIBYTES = 32;

const node = shared(test, (t) => TestNode.start(t));

test("processes are killed while pods come and go: what was answered holds, and nothing is lost or left", async (t) => {
  t.log(await runCrashes(node(), { seed: 20, calls: 200, kills: 14, pods: 6, patience: 4 }));
  t.pass();
});

test("berthd and helper are killed while pods write, logs are rotated and their disk is full: no line is lost or doubled, no exit code wrong", async (t) => {
  const disk = SmallDisk.tmpfs(t, LOG_DISK_MEBIBYTES);
  const kills = { berthd: 5, helper: 3 };
  t.log(await runLogLines(t, node(), { seed: 1, pods: 4, linesPerSecond: 500, padding: 100, kills, disk, patience: 10 }));
  t.pass();
});

test("shims are killed, alone and with berthd and helper: their pods end in order, and the others write on", async (t) => {
  t.log(await runShimLosses(t, node(), { seed: 1, pods: 4, rounds: 6, linesPerSecond: 200, padding: 0, patience: 0 }));
  t.pass();
});
