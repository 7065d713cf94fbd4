// Measures Berth and containerd in one run, and tells both: README.md beside this says how to run it and what is measured.
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release } from "node:os";
import { temporaryFolder } from "../lib/image-service.ts";
import { kernelObjects } from "../lib/kernel.ts";
import { DockerRegistry } from "../lib/registry.ts";
import { SmallDisk } from "../lib/small-disk.ts";
import type { Teardown } from "../lib/teardown.ts";
import type { Bench } from "./bench.ts";
import { startBerth } from "./berth-runtime.ts";
import { Cgroup, enterOwnCgroupAgain } from "./cgroup.ts";
import { lackOfContainerd, startContainerd } from "./containerd-runtime.ts";
import { type Images, pushImages } from "./images.ts";
import { measureLoad } from "./measures/load.ts";
import { measureLogs } from "./measures/logs.ts";
import { measurePods } from "./measures/pods.ts";
import { measurePull } from "./measures/pull.ts";
import { measureRestart } from "./measures/restart.ts";
import type { Peer, Runtime } from "./peer.ts";
import { Results } from "./results.ts";
import { type MeasureName, type Settings, settingsOf } from "./settings.ts";
import { rowsOf, tableOf } from "./table.ts";

const OUT = "build/bench.json";
const MINUTE_MS = 60_000;
const DISK_MIB = 6 * 1024;

const MEASURES: Readonly<Record<MeasureName, (bench: Bench) => Promise<void>>> = {
  pods: measurePods,
  load: measureLoad,
  pull: measurePull,
  logs: measureLogs,
  restart: measureRestart,
};

const steps: (() => Promise<void> | void)[] = [];
const t: Teardown = { teardown: (step) => steps.unshift(step) };
let isInterrupted = false;
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => (isInterrupted = true));

async function main(settings: Settings): Promise<void> {
  const startedAtMs = performance.now();
  const results = new Results();
  // Everybody's folders are on it. A file system without a journal, as this machine may have, steps over what was removed for minutes.
  process.env["TMPDIR"] = SmallDisk.ext4(t, DISK_MIB).path;
  const cgroup = Cgroup.make(`/berth-bench-${process.pid}`);
  t.teardown(() => cgroup.end());
  t.teardown(enterOwnCgroupAgain());
  const client = cgroup.below("client");
  client.enter();
  const registry = await DockerRegistry.start(t);
  const images = await pushImages(t, registry);
  const peers = await startPeers({ settings, results, cgroup, client, images });
  const isOver = (): boolean => isInterrupted || performance.now() - startedAtMs > settings.minutes * MINUTE_MS;
  const bench: Bench = { settings, peers, results, registry, images, cgroup, logs: await temporaryFolder(t), isOver };
  for (const name of settings.measures) {
    if (isOver()) {
      results.notes.push(`${name}: not measured, the time was up`);
      continue;
    }
    process.stderr.write(`==> measures ${name}\n`);
    await MEASURES[name](bench).catch((failure: unknown) => results.fail("all", name, failure));
    // Whatever happens to the next one, this is told.
    write(bench);
  }
  tell(bench, (performance.now() - startedAtMs) / 1000);
}

interface Parts {
  readonly settings: Settings;
  readonly results: Results;
  readonly cgroup: Cgroup;
  readonly client: Cgroup;
  readonly images: Images;
}

/** Of the peers that were asked for, those that are to be had here; the images are there. */
async function startPeers({ settings, results, cgroup, client, images }: Parts): Promise<readonly Peer[]> {
  const starts: Readonly<Record<Runtime["name"], () => Promise<Runtime>>> = {
    berth: () => startBerth(t, cgroup.below("berth"), client),
    containerd: () => startContainerd(t, cgroup.below("containerd"), client, images.pause),
  };
  const peers: Peer[] = [];
  for (const [name, start] of Object.entries(starts)) {
    const wanted = settings.peers.filter((peer) => peer.startsWith(`${name}+`));
    const lack = name === "containerd" ? lackOfContainerd() : undefined;
    if (wanted.length === 0 || lack !== undefined) {
      if (lack !== undefined) results.fail(wanted.join(", "), "all", lack);
      continue;
    }
    try {
      const runtime = await start();
      await runtime.cri.call("PullImage", { image: { image: images.workload } });
      peers.push(...wanted.map((peer) => ({ name: peer, handler: peer.slice(name.length + 1), runtime })));
    } catch (failure) {
      results.fail(wanted.join(", "), "all", failure);
    }
  }
  return peers;
}

function write({ settings, peers, results }: Bench): void {
  const names = peers.map(({ name }) => name);
  const machine = { kernel: release(), processors: cpus().length, loadAverage: loadavg()[0] };
  const { failures, notes } = results;
  const whole = { at: new Date().toISOString(), machine, settings, measures: rowsOf(names, results.measures()), failures, notes };
  mkdirSync("build", { recursive: true });
  writeFileSync(OUT, `${JSON.stringify(whole, undefined, 2)}\n`);
}

function tell({ peers, results }: Bench, seconds: number): void {
  const lines = [
    ...results.notes,
    ...results.failures.map(({ peer, measure, reason }) => `FAILED ${measure}, ${peer}: ${reason}`),
    `${seconds.toFixed(0)} s; ${OUT} has it all`,
  ];
  const table = tableOf(
    peers.map(({ name }) => name),
    results.measures(),
  );
  process.stdout.write(`\n${table}\n${lines.map((line) => `${line}\n`).join("")}`);
}

/** Its network namespace goes with it; whatever is left in its cgroups is told when they go. */
function mounts(): string[] {
  return kernelObjects().filter((line) => line.startsWith("mount "));
}

/** Each step, whatever the others do. */
async function takeDown(): Promise<void> {
  for (const step of steps) {
    try {
      await step();
    } catch (failure) {
      process.stderr.write(`take down: ${failure instanceof Error ? failure.message : failure}\n`);
      process.exitCode = 1;
    }
  }
}

if (process.getuid?.() !== 0) throw new Error("the bench makes namespaces and cgroups: run it as root");
const before = new Set(mounts());
try {
  await main(settingsOf(process.env));
} finally {
  await takeDown();
}
for (const line of mounts().filter((each) => !before.has(each))) process.stderr.write(`left: ${line}\n`);
