// A daemon with many pods that is started again: how soon it answers and knows them, and what it costs while nothing happens.
import { createConnection } from "node:net";
import { Cri } from "../../lib/cri.ts";
import { type Bench, settle } from "../bench.ts";
import { memoryOf } from "../memory.ts";
import { clear, type Daemon, type Peer, type Runtime } from "../peer.ts";
import { StandingPods } from "../standing-pods.ts";
import { median } from "../statistics.ts";

const ROUNDS = 5;
const LOOK_AGAIN_MS = 2;
const LONGEST_START_MS = 60_000;
const IDLE_MS = 60_000;
const CALLS_MS = 30_000;
// Calls one after the other: the longest wait is as long as the longest time that the daemon did nothing else.
const TICK_MS = 10;

/** Of the first that can be started again. */
export async function measureRestart(bench: Bench): Promise<void> {
  const peer = bench.peers.find(({ runtime }) => runtime.daemon !== undefined);
  if (peer?.runtime.daemon === undefined) return;
  const pods = new StandingPods(bench, peer);
  try {
    await pods.become(bench.settings.mostPods);
    await measureWith(bench, peer, peer.runtime.daemon);
    await pods.become(0);
  } catch (failure) {
    bench.results.fail(peer.name, "restart", failure);
    await clear(peer.runtime).catch(() => {});
  }
}

async function measureWith({ settings, results, isOver }: Bench, { name, runtime }: Peer, daemon: Daemon): Promise<void> {
  const pods = settings.mostPods;
  const tell = (what: string, unit: string, value: number): void => results.add(name, `${what}, ${pods} pods`, unit, value);
  tell("PSS of the daemon before a restart", "MiB", daemonMiB(runtime));
  for (const [how, end] of [
    ["kill -9", () => daemon.crash()],
    ["SIGTERM", () => daemon.shutdown()],
  ] as const) {
    const rounds: Start[] = [];
    while (rounds.length < ROUNDS && !isOver()) {
      await end();
      rounds.push(await start(daemon, pods));
    }
    if (rounds.length === 0) return;
    const of = (moment: keyof Start): number => median(rounds.map((round) => round[moment]));
    tell(`start after ${how}: socket`, "ms", of("socketMs"));
    tell(`start after ${how}: first answer`, "ms", of("answerMs"));
    tell(`start after ${how}: all states right`, "ms", of("statesMs"));
  }
  const cpuMs = runtime.cgroup.cpuMs();
  await settle(IDLE_MS);
  tell("CPU time of an idle minute", "ms", runtime.cgroup.cpuMs() - cpuMs);
  tell("PSS of the daemon after it", "MiB", daemonMiB(runtime));
  tell("longest wait for Version in half a minute", "ms", await longestWaitMs(runtime.cri));
}

const daemonMiB = ({ daemonPid }: Runtime): number =>
  [...memoryOf([daemonPid], new Map()).values()].reduce((sum, kib) => sum + kib, 0) / 1024;

interface Start {
  /** until the socket takes connections */
  readonly socketMs: number;
  /** until Version is answered */
  readonly answerMs: number;
  /** until each pod is ready and its container running */
  readonly statesMs: number;
}

/** Of a daemon that has ended. */
async function start(daemon: Daemon, pods: number): Promise<Start> {
  const startedAtMs = performance.now();
  const booted = daemon.boot();
  const reached = async (what: string, look: () => Promise<boolean>): Promise<number> => {
    while (!(await look())) {
      if (performance.now() - startedAtMs > LONGEST_START_MS) throw new Error(`waited in vain until ${what}`);
      await settle(LOOK_AGAIN_MS);
    }
    return performance.now() - startedAtMs;
  };
  const socketMs = await reached("the socket takes connections", () => connects(daemon.socket));
  const cri = new Cri(daemon.socket);
  try {
    const answerMs = await reached("a call is answered", () =>
      cri.call("Version", {}).then(
        () => true,
        () => false,
      ),
    );
    const statesMs = await reached("all states are right", () => areRight(cri, pods));
    await booted;
    return { socketMs, answerMs, statesMs };
  } finally {
    cri.close();
  }
}

async function areRight(cri: Cri, pods: number): Promise<boolean> {
  const { items } = await cri.call<{ items: readonly { state: string }[] }>("ListPodSandbox", {});
  const { containers } = await cri.call<{ containers: readonly { state: string }[] }>("ListContainers", {});
  const ready = items.filter(({ state }) => state === "SANDBOX_READY").length;
  return ready === pods && containers.filter(({ state }) => state === "CONTAINER_RUNNING").length === pods;
}

const connects = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = createConnection(path, () => resolve(true));
    socket.on("error", () => resolve(false)).once("connect", () => socket.destroy());
  });

async function longestWaitMs(cri: Cri): Promise<number> {
  let longest = 0;
  for (const end = performance.now() + CALLS_MS; performance.now() < end; await settle(TICK_MS)) {
    const before = performance.now();
    await cri.call("Version", {});
    longest = Math.max(longest, performance.now() - before);
  }
  return longest;
}
