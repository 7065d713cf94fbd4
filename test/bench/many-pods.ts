// What a node costs when it has many pods: a pod's start, memory, lists, a start of berthd, an idle minute. Needs root, and runs in
// namespaces of its own (make bench-many-pods). Usage: many-pods.ts [PODS…]
import { readdir, readFile, readlink } from "node:fs/promises";
import { createConnection } from "node:net";
import { join } from "node:path";
import { Cri } from "../lib/cri.ts";
import { TestNode } from "../lib/node.ts";
import { Pod } from "../lib/pods.ts";
import type { Teardown } from "../lib/teardown.ts";
import { median } from "./statistics.ts";

const COUNTS = [10, 100, 500];
// A pod's start is the median of so many, the last ones before each count.
const STARTS = 10;
const CALLS = 50;
const RESTARTS = 3;
const LOOK_AGAIN_MS = 2;
const IDLE_MS = 60_000;
// Calls one after the other: the longest wait is as long as the longest time that berthd did nothing else.
const TICK_MS = 10;

interface Memory {
  readonly berthd: number;
  readonly helper: number;
  readonly shims: number;
  /** of berthd, with all that it shares with other processes */
  readonly berthdRss: number;
}

async function main(counts: readonly number[], t: Teardown): Promise<void> {
  const node = await TestNode.start(t);
  const client = new Cri(node.socket);
  t.teardown(() => client.close());
  const begin = await memory(node);
  tell("0 pods", { ...memoryRow(begin) });
  let pods = 0;
  for (const count of counts) {
    const starts: number[] = [];
    for (; pods < count; pods++) starts.push(await podReady(node));
    const now = await memory(node);
    const perPod = (total(now) - total(begin)) / pods;
    tell(`${count} pods`, {
      "pod ready": ms(median(starts.slice(-STARTS))),
      ...memoryRow(now),
      "per pod": `${perPod.toFixed(2)} MB`,
      ListContainers: ms(await callMs(client, "ListContainers")),
      ListPodSandboxStats: ms(await callMs(client, "ListPodSandboxStats")),
    });
  }
  for (const [how, end] of [
    ["kill -9", () => node.crash()],
    ["SIGTERM", () => node.shutdown()],
  ] as const) {
    const rounds: Restart[] = [];
    for (let round = 0; round < RESTARTS; round++) {
      await end();
      rounds.push(await restart(node, pods));
    }
    const of = (part: keyof Restart): string => ms(median(rounds.map((round) => round[part])));
    tell(`start after ${how}`, { socket: of("socketMs"), answers: of("answersMs"), "states right": of("statesMs") });
  }
  tell("after them", { ...memoryRow(await memory(node)) });
  const [cpuBefore, helperBefore, helper] = [await cpuMs(node.pid), await cpuMs(await node.helperPid()), await node.helperPid()];
  await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
  tell("an idle minute", {
    berthd: `${(await cpuMs(node.pid)) - cpuBefore} ms of CPU`,
    helper: `${(await cpuMs(helper)) - helperBefore} ms of CPU`,
  });
  tell("a minute of calls", { "longest wait": ms(await longestWaitMs(client, IDLE_MS)) });
}

/** What the kubelet does for a pod of one container. */
async function podReady(node: TestNode): Promise<number> {
  const before = performance.now();
  const pod = await Pod.run(node);
  await pod.start("main", ["sleep", "1000000"]);
  return performance.now() - before;
}

async function callMs(cri: Cri, name: string): Promise<number> {
  const times: number[] = [];
  for (let call = 0; call < CALLS; call++) {
    const before = performance.now();
    await cri.call(name, {});
    times.push(performance.now() - before);
  }
  return median(times);
}

async function longestWaitMs(cri: Cri, duringMs: number): Promise<number> {
  let longest = 0;
  for (const end = performance.now() + duringMs; performance.now() < end; ) {
    const before = performance.now();
    await cri.call("Version", {});
    longest = Math.max(longest, performance.now() - before);
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
  }
  return longest;
}

interface Restart {
  /** until the socket takes connections */
  readonly socketMs: number;
  /** until a call is answered */
  readonly answersMs: number;
  /** until each pod is ready and its container running */
  readonly statesMs: number;
}

/** Of a node that has ended. */
async function restart(node: TestNode, pods: number): Promise<Restart> {
  const before = performance.now();
  const since = (): number => performance.now() - before;
  const booted = node.boot();
  while (!(await connects(node.socket))) await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  const socketMs = since();
  const cri = new Cri(node.socket);
  await node.eventually("berthd answers", () => cri.call("Version", {}).catch(() => undefined));
  const answersMs = since();
  await node.eventually("all states are right", async () => {
    const { items } = await cri.call<{ items: readonly { state: string }[] }>("ListPodSandbox", {});
    const { containers } = await cri.call<{ containers: readonly { state: string }[] }>("ListContainers", {});
    const ready = items.filter(({ state }) => state === "SANDBOX_READY").length;
    return ready === pods && containers.filter(({ state }) => state === "CONTAINER_RUNNING").length === pods ? true : undefined;
  });
  const statesMs = since();
  cri.close();
  await booted;
  return { socketMs, answersMs, statesMs };
}

const connects = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = createConnection(path, () => resolve(true));
    socket.on("error", () => resolve(false)).once("connect", () => socket.destroy());
  });

async function memory(node: TestNode): Promise<Memory> {
  const pss = async (pid: number): Promise<number> => (await rollup(pid)).get("Pss") ?? 0;
  const shims = await Promise.all((await shimsOf(node)).map(pss));
  return {
    berthd: await pss(node.pid),
    helper: await pss(await node.helperPid()),
    shims: shims.reduce((sum, each) => sum + each, 0),
    berthdRss: (await rollup(node.pid)).get("Rss") ?? 0,
  };
}

/** MB by name. */
async function rollup(pid: number): Promise<ReadonlyMap<string, number>> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, "utf8").catch(() => "");
  return new Map([...text.matchAll(/^(\w+): +(\d+) kB$/gm)].map(([, name, kilobytes]) => [name ?? "", Number(kilobytes) / 1024]));
}

/** A shim writes its log in the pod's state folder. */
async function shimsOf(node: TestNode): Promise<number[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const logs = await Promise.all(pids.map((pid) => readlink(`/proc/${pid}/fd/2`).catch(() => "")));
  return pids.filter((_, index) => logs[index]?.startsWith(join(node.state, "pods/")));
}

async function cpuMs(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  const [user, system] = stat
    .slice(stat.lastIndexOf(")") + 2)
    .split(" ")
    .slice(11, 13)
    .map(Number);
  return ((user ?? 0) + (system ?? 0)) * 10;
}

const total = ({ berthd, helper, shims }: Memory): number => berthd + helper + shims;

const memoryRow = ({ berthd, helper, shims, berthdRss }: Memory): Record<string, string> => ({
  "berthd PSS": `${berthd.toFixed(1)} MB`,
  RSS: `${berthdRss.toFixed(1)} MB`,
  helper: `${helper.toFixed(1)} MB`,
  shims: `${shims.toFixed(1)} MB`,
});

const ms = (value: number): string => `${value.toFixed(1)} ms`;

function tell(what: string, figures: Readonly<Record<string, string>>): void {
  const parts = Object.entries(figures).map(([name, value]) => `${name} ${value}`);
  process.stdout.write(`${what.padEnd(22)} ${parts.join(" · ")}\n`);
}

const steps: (() => Promise<void> | void)[] = [];
try {
  const counts = process.argv.slice(2).map(Number);
  await main(counts.length > 0 ? counts : COUNTS, { teardown: (step) => steps.unshift(step) });
} finally {
  for (const step of steps) await step();
}
