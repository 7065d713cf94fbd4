// One run of many sessions, one after the other and many at once, some of them cut off by their clients: nothing of Berth grows.
import { execFileSync } from "node:child_process";
import { programMount } from "../lib/c-program.ts";
import type { Message } from "../lib/cri.ts";
import { type ConnectionMaker, cutConnection } from "../lib/cut-connection.ts";
import { Heap } from "../lib/heap.ts";
import type { TestNode } from "../lib/node.ts";
import { Pod } from "../lib/pods.ts";
import type { Transport } from "../lib/process-client.ts";
import { countsOf, pssBytes } from "../lib/process-counts.ts";
import type { Teardown } from "../lib/teardown.ts";
import { Random } from "./random.ts";
import { difference, remains } from "./remains.ts";
import { ATTACHES, EXECS, FORWARDS, PORT, type Session, type SessionPod } from "./session-kinds.ts";
import { slopeOf } from "./slope.ts";
import { pause } from "./world.ts";

const GROUPS = { execs: EXECS, attaches: ATTACHES, "forwarded ports": FORWARDS } as const;
const PODS = 4;
const WARM_UP = 60;
const WINDOWS = 20;
const CUT_PERCENT = 10;
// Most sessions have a few hundred bytes of handshake and as many of their own; some have a hundred thousand.
const [FEW_BYTES, MANY_BYTES] = [1500, 150_000];
const SETTLED_WITHIN_MS = 5000;
const LOOK_AGAIN_MS = 50;
const KIB = 1024;
/** What collection leaves behind by chance, and the kernel's pages. */
const MOST_GROWTH_KIB = { "berthd's heap": 1024, berthd: 24 * 1024, helper: 512, shims: 512 } as const;

export interface SessionRun {
  readonly seed: number;
  readonly sessions: number;
  readonly atOnce: number;
  /** of a hundred; the rest are attaches and forwarded ports, which start no process */
  readonly execPercent: number;
  /** how many times longer than on an idle machine things may take */
  readonly patience: number;
}

type Memory = Record<keyof typeof MOST_GROWTH_KIB, number>;

/** @returns what was done, and figures @throws Error with the seed, when something did not hold */
export async function runSessions(t: Teardown, node: TestNode, run: SessionRun): Promise<string> {
  const echo = await programMount(t, "tcp-echo.c");
  const places = await Promise.all(Array.from({ length: PODS }, () => makePlace(node, echo)));
  const shims = await Promise.all(places.map(async ({ pod }) => Number(JSON.parse((await pod.status()).info["info"] ?? "{}").shimPid)));
  const helper = await node.helperPid();
  const heap = await Heap.open(node);
  const memory = async (): Promise<Memory> => ({
    "berthd's heap": await heap.usedBytes(),
    berthd: pssBytes(node.pid),
    helper: pssBytes(helper),
    shims: shims.reduce((sum, pid) => sum + pssBytes(pid), 0),
  });
  const processes = [["berthd", node.pid], ["helper", helper], ...shims.map((pid, at) => [`shim ${at}`, pid] as const)] as const;
  // The helper's workers end when they have had nothing to do, and other work than sessions brings them back.
  const isCounted = (line: string): boolean => !/^helper: \d+ threads$/.test(line);
  const inProcesses = (): string[] => [...processes.flatMap(([name, pid]) => countsOf(name, pid)).filter(isCounted), ...connections()];
  const counts = async (): Promise<string[]> => [...inProcesses(), ...(await remains(node))];
  const random = new Random(run.seed);
  const done = new Map<string, number>();
  const sessions = async (count: number, atOnce: number): Promise<void> => {
    let left = count;
    const one = async (): Promise<void> => {
      while (left-- > 0) await session(places, run, random.fork(), done);
    };
    await Promise.all(Array.from({ length: atOnce }, one));
  };
  try {
    await sessions(WARM_UP, 1);
    await sessions(run.atOnce, run.atOnce);
    done.clear();
    // What the image was pushed and pulled by is kept for some seconds.
    const registryPort = node.registry.address.split(":")[1] ?? "";
    await node.eventually("nobody is connected to the registry", async () => (isConnected(registryPort) ? undefined : true));
    const before = await settled(counts, undefined, run);
    const processesBefore = inProcesses();
    const samples: Memory[] = [await memory()];
    // One half is in sequence, the other at once.
    for (let window = 0; window < WINDOWS; window++) {
      await sessions(Math.ceil(run.sessions / WINDOWS), window % 2 === 0 ? 1 : run.atOnce);
      await settled(async () => inProcesses(), processesBefore, run);
      samples.push(await memory());
    }
    await settled(counts, before, run);
    const growth = (Object.keys(MOST_GROWTH_KIB) as (keyof Memory)[]).map((what) => {
      const kib = (slopeOf(samples.map((sample) => sample[what])) * WINDOWS) / KIB;
      const [first, last] = [samples[0]?.[what] ?? 0, samples.at(-1)?.[what] ?? 0].map((bytes) => Math.round(bytes / KIB));
      return { what, kib, text: `${what} ${first} to ${last} KiB, ${kib.toFixed(0)} KiB by its slope` };
    });
    const summary = [...done].map(([what, count]) => `${count} ${what}`).join(", ");
    const told = [`seed ${run.seed}, ${run.atOnce} at once: ${summary}`, ...growth.map(({ text }) => text)].join("\n  ");
    const grown = growth.filter(({ what, kib }) => kib > MOST_GROWTH_KIB[what]);
    if (grown.length > 0) throw new Error(`memory grows: ${grown.map(({ what }) => what)}\n${told}`);
    return told;
  } finally {
    heap.close();
    await Promise.all(places.map(({ pod }) => pod.remove()));
  }
}

async function makePlace(node: TestNode, echo: Message): Promise<SessionPod> {
  const pod = await Pod.run(node);
  const say = ["sh", "-c", "while read line; do echo got $line; done"];
  const [shell, echoing, terminal, server] = await Promise.all([
    pod.start("shell", ["sleep", "1000000"]),
    pod.start("echo", say, { stdin: true }),
    pod.start("terminal", say, { stdin: true, tty: true }),
    pod.start("server", ["/tcp-echo", String(PORT), "many"], { mounts: [echo] }),
  ]);
  await server.logged(/listening/);
  return { pod, shell, echo: echoing, terminal };
}

async function session(places: readonly SessionPod[], run: SessionRun, random: Random, done: Map<string, number>): Promise<void> {
  const group = random.chance(run.execPercent) ? "execs" : random.chance(50) ? "attaches" : "forwarded ports";
  const kinds = GROUPS[group];
  const kind = random.pick(Object.keys(kinds));
  const transport: Transport = random.chance(50) ? "spdy" : "websocket";
  const isCut = random.chance(CUT_PERCENT);
  const cutAt = random.between(1, random.chance(80) ? FEW_BYTES : MANY_BYTES);
  const resets = random.chance(50);
  const cuts: Promise<void>[] = [];
  const connect = (url: string): ConnectionMaker => {
    if (!isCut) return {};
    const { by, cut } = cutConnection(url, cutAt, resets);
    cuts.push(cut);
    return by;
  };
  const name = `${kind} over ${transport}${isCut ? ", cut" : ""}`;
  const live = (kinds[kind] as Session)(random.pick(places), transport, random, connect);
  try {
    await live;
  } catch (failure) {
    // Of a connection that was cut there is no telling what comes of it.
    if (!isCut) throw new Error(`seed ${run.seed}: ${name}: ${failure instanceof Error ? failure.stack : String(failure)}`);
  }
  await Promise.all(cuts);
  for (const what of [group, `over ${transport}`, ...(isCut ? ["cut off"] : [])]) done.set(what, (done.get(what) ?? 0) + 1);
}

/** Waits until the counts are as they were, or, without any from before, until nothing moves. @throws what is different */
async function settled(
  counts: () => Promise<string[]>,
  before: readonly string[] | undefined,
  { patience, seed }: SessionRun,
): Promise<readonly string[]> {
  let last = await counts();
  for (const deadline = performance.now() + SETTLED_WITHIN_MS * patience; ; ) {
    await pause(LOOK_AGAIN_MS);
    const now = await counts();
    const different = difference(before ?? last, now);
    if (different.length === 0) return now;
    if (performance.now() > deadline) throw new Error(`seed ${seed}: it does not settle:\n${different.join("\n")}`);
    last = now;
  }
}

const isConnected = (port: string): boolean =>
  execFileSync("ss", ["-H", "-n", "-t", "state", "connected", "exclude", "time-wait", `( dport = :${port} )`], { encoding: "utf8" }) !== "";

/** Of this network namespace, which is the node's: how many of each state, to and from where. Those in TIME-WAIT are nobody's. */
function connections(): string[] {
  const lines = execFileSync("ss", ["-H", "-n", "-t", "-a", "exclude", "time-wait"], { encoding: "utf8" }).trim().split("\n");
  const states = Map.groupBy(lines, (line) => line.split(/\s+/)[0] ?? "");
  return [...states].map(([state, of]) => `connections: ${of.length} ${state}`);
}
