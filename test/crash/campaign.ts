// Long runs by hand: CAMPAIGN=lifecycles SEED=1 SEEDS=3 CALLS=2000 KILLS=200 make campaign
import { type NodeOptions, TestNode } from "../lib/node.ts";
import { SmallDisk } from "../lib/small-disk.ts";
import type { Teardown } from "../lib/teardown.ts";
import { runUpgrade } from "../upgrade/run-upgrade.ts";
import { runCrashes } from "./run-crashes.ts";
import { runEvents } from "./run-events.ts";
import { runHostileImages } from "./run-hostile-images.ts";
import { runLogLines } from "./run-log-lines.ts";
import { runRaces } from "./run-races.ts";
import { runSessions } from "./run-sessions.ts";
import { runShimLosses } from "./run-shim-losses.ts";
import { runStuck } from "./run-stuck.ts";
import { sweepImages } from "./sweep-images.ts";
import { SWEEP_FLAGS, sweep } from "./sweep.ts";

const number = (name: string, otherwise: number): number => {
  const value = Number(process.env[name] ?? otherwise);
  if (!Number.isFinite(value) || value < 0) throw new Error(`${name}=${process.env[name]}: not a number`);
  return value;
};

const text = (name: string): string => {
  const value = process.env[name] ?? "";
  if (value === "") throw new Error(`${name} is not set`);
  return value;
};

const patience = number("PATIENCE", 3);
const linesPerSecond = number("LINES", 1000);
const LOG_DISK_MEBIBYTES = 1024;

const lines = (t: Teardown, node: TestNode, seed: number, disk?: SmallDisk): Promise<string> => {
  const kills = { berthd: number("KILLS", 50), helper: number("HELPER_KILLS", 20) };
  return runLogLines(t, node, { seed, pods: number("PODS", 20), linesPerSecond, padding: 0, kills, patience, ...(disk && { disk }) });
};

const CAMPAIGNS: Readonly<Record<string, (t: Teardown, node: TestNode, seed: number) => Promise<string>>> = {
  lifecycles: (_, node, seed) =>
    runCrashes(node, { seed, calls: number("CALLS", 2000), kills: number("KILLS", 200), pods: number("PODS", 8), patience }),
  "log-lines": (t, node, seed) => lines(t, node, seed),
  "full-disk": (t, node, seed) => lines(t, node, seed, SmallDisk.ext4(t, number("DISK", LOG_DISK_MEBIBYTES))),
  shims: (t, node, seed) =>
    runShimLosses(t, node, { seed, pods: number("PODS", 10), rounds: number("KILLS", 50), linesPerSecond, padding: 0, patience }),
  "hostile-images": (_, node, seed) => runHostileImages(node, { seed, trials: number("TRIALS", 2000) }),
  stuck: (_, node) => runStuck(node, { rounds: number("ROUNDS", 16), startsPerRound: number("STARTS", 20) }),
  events: (_, node, seed) => runEvents(node, { seed, changes: number("CHANGES", 1000), pods: number("PODS", 8) }),
  sessions: (t, node, seed) =>
    runSessions(t, node, { seed, sessions: number("SESSIONS", 10_000), atOnce: number("AT_ONCE", 200), execPercent: 33, patience }),
  failpoints: (_, node) => sweep(node, text("FAILPOINT_BIN"), new RegExp(process.env["ONLY"] ?? ""), console.log),
  races: async (t, node) => {
    // It has a node of its own.
    await node.shutdown();
    return await runRaces(t, number("TRIES", 10_000), console.log);
  },
  "image-failpoints": (_, node) => sweepImages(node, console.log, process.env["POINTS"]?.split(",")),
  upgrade: (_, node) => runUpgrade(node, console.log),
};

/** Of nodes that are not as all others. */
const OPTIONS: Readonly<Record<string, () => NodeOptions>> = {
  failpoints: () => ({ flags: SWEEP_FLAGS }),
  upgrade: () => ({ previous: text("PREVIOUS_BIN") }),
};

const name = process.env["CAMPAIGN"] || "lifecycles";
const campaign = CAMPAIGNS[name];
if (campaign === undefined) throw new Error(`CAMPAIGN=${name}: there are ${Object.keys(CAMPAIGNS).join(", ")}`);
const [first, seeds] = [number("SEED", 1), number("SEEDS", 1)];
for (let seed = first; seed < first + seeds; seed++) {
  const steps: (() => Promise<void> | void)[] = [];
  const t: Teardown = { teardown: (step) => steps.unshift(step) };
  try {
    const node = await TestNode.start(t, OPTIONS[name]?.());
    const startedAtMs = performance.now();
    console.log(await campaign(t, node, seed));
    console.log(`  ✔ ${name}: it held, ${Math.round((performance.now() - startedAtMs) / 1000)} s`);
  } catch (failure) {
    console.log(failure instanceof Error ? failure.message : failure);
    console.log(`  ✘ ${name}: it did not hold`);
    process.exitCode = 1;
  }
  for (const step of steps) await step();
}
