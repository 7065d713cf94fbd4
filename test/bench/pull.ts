// How long a cold pull takes, here and with containerd, in alternating rounds of one run: fetch, check, unpack, and be sure of it.
// Needs root, skopeo, docker-registry and containerd, and runs in namespaces of its own (make bench-pull).
// Usage: pull.ts IMAGE [ROUNDS]; IMAGE as skopeo names it: oci:/path/to/layout:1, docker-archive:/path.tar, docker://…
//
// Removed files are written back first, and each round begins when that is done. On an ext4 without a journal the kernel steps over
// the inodes of removed files for minutes; take a file system that has one.
import { execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { Cri } from "../lib/cri.ts";
import { temporaryFolder } from "../lib/image-service.ts";
import { TestNode } from "../lib/node.ts";
import { DockerRegistry } from "../lib/registry.ts";
import type { Teardown } from "../lib/teardown.ts";

const run = promisify(execFile);
const TICK_MS = 10;
const PULL_TIMEOUT_MS = 600_000;

interface Runtime {
  readonly name: string;
  readonly cri: Cri;
  readonly pid: number;
  readonly rounds: { readonly wallMs: number; readonly cpuMs: number }[];
}

const steps: (() => Promise<void> | void)[] = [];
const t: Teardown = { teardown: (step) => steps.unshift(step) };
async function main(source: string | undefined, rounds: number): Promise<void> {
  if (source === undefined) throw new Error("usage: pull.ts IMAGE [ROUNDS]");
  const registry = await DockerRegistry.start(t);
  const reference = `${registry.address}/bench/image:1`;
  await run("skopeo", ["copy", "--quiet", "--dest-tls-verify=false", source, `docker://${reference}`]);
  const node = await TestNode.start(t, { withImage: false });
  const runtimes: Runtime[] = [{ name: "berth", cri: node.cri, pid: node.pid, rounds: [] }, await containerd()];
  for (let round = 0; round < rounds; round++) {
    // Who is first changes, so that nobody always finds the registry's files in memory.
    for (const runtime of round % 2 === 0 ? runtimes : runtimes.toReversed()) await pull(runtime, reference);
  }
  const [ours, theirs] = runtimes as [Runtime, Runtime];
  const row = (what: string, of: (runtime: Runtime) => number, unit: string): void => {
    const [a, b] = [of(ours), of(theirs)];
    process.stdout.write(
      `${what.padEnd(24)}${a.toFixed(0).padStart(8)} ${unit}${b.toFixed(0).padStart(12)} ${unit}${(a / b).toFixed(2).padStart(10)}\n`,
    );
  };
  process.stdout.write(
    `${reference}, ${rounds} rounds\n${"".padEnd(24)}${"berth".padStart(11)}${"containerd".padStart(15)}${"ratio".padStart(10)}\n`,
  );
  row("cold pull, median", (runtime) => median(runtime.rounds.map(({ wallMs }) => wallMs)), "ms");
  row("cold pull, fastest", (runtime) => Math.min(...runtime.rounds.map(({ wallMs }) => wallMs)), "ms");
  row("its CPU time, median", (runtime) => median(runtime.rounds.map(({ cpuMs }) => cpuMs)), "ms");
}

async function pull({ cri, pid, rounds }: Runtime, reference: string): Promise<void> {
  const image = { image: { image: reference } };
  await cri.call("RemoveImage", image).catch(() => {});
  await run("sync");
  const [cpuBefore, before] = [await cpuMs(pid), performance.now()];
  await cri.call("PullImage", image, PULL_TIMEOUT_MS);
  rounds.push({ wallMs: performance.now() - before, cpuMs: (await cpuMs(pid)) - cpuBefore });
  await cri.call("RemoveImage", image);
}

async function containerd(): Promise<Runtime> {
  const folder = await temporaryFolder(t);
  const socket = join(folder, "containerd.sock");
  const config = [
    `version = 2\nroot = "${folder}/root"\nstate = "${folder}/state"`,
    `disabled_plugins = ["io.containerd.internal.v1.opt"]\n[grpc]\naddress = "${socket}"\n[debug]\nlevel = "fatal"`,
    `[plugins."io.containerd.grpc.v1.cri".containerd]\nsnapshotter = "overlayfs"`,
  ];
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "config.toml"), config.join("\n"));
  const child = spawn("containerd", ["--config", join(folder, "config.toml")], { stdio: ["ignore", "ignore", "inherit"] });
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  t.teardown(async () => {
    child.kill("SIGTERM");
    await gone;
  });
  for (const deadline = performance.now() + 20_000; !existsSync(socket); ) {
    if (child.exitCode !== null || performance.now() > deadline) throw new Error("containerd did not start");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const cri = new Cri(socket);
  t.teardown(() => cri.close());
  return { name: "containerd", cri, pid: child.pid ?? 0, rounds: [] };
}

/** Of a process, and of those below it that are there or have been waited for. */
async function cpuMs(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  const times = stat
    .slice(stat.lastIndexOf(")") + 2)
    .split(" ")
    .slice(11, 15)
    .map(Number);
  let total = times.reduce((sum, ticks) => sum + ticks * TICK_MS, 0);
  for (const task of await readdir(`/proc/${pid}/task`).catch(() => [])) {
    const children = await readFile(`/proc/${pid}/task/${task}/children`, "utf8").catch(() => "");
    for (const child of children.split(" ").filter(Boolean)) total += await cpuMs(Number(child));
  }
  return total;
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

try {
  await main(process.argv[2], Number(process.argv[3] ?? 5));
} finally {
  for (const step of steps) await step();
}
