// Shims are killed, alone and together with berthd and helper: soon after Berth runs again their pods have ended in order, and the
// others have noticed nothing.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { berthCli } from "../lib/berth-cli.ts";
import { isRunning } from "../lib/kernel.ts";
import type { TestNode } from "../lib/node.ts";
import type { ContainerStatus, PodStatus } from "../lib/pods.ts";
import type { Teardown } from "../lib/teardown.ts";
import { create, looksRight, removeContainer, stopContainer } from "./container-life.ts";
import { Journal, Violation } from "./journal.ts";
import { type ContainerModel, podModel } from "./model.ts";
import { type PodLife, removePod, runPod } from "./pod-life.ts";
import { Quantiles } from "./quantiles.ts";
import { Random } from "./random.ts";
import { together, verdict } from "./together.ts";
import { pause, World } from "./world.ts";
import { type Pace, Writers, writesOn } from "./writers.ts";

const WITH = { nobody: 40, berthd: 25, helper: 10, "berthd and helper": 25 } as const;
const MOST_VICTIMS = 3;
const LONGEST_AWAY_MS = 500;
const LONGEST_BETWEEN_MS = 500;
const LOOK_AGAIN_MS = 10;
// The design's eighth rule, on an idle machine.
const SETTLED_WITHIN_MS = 1000;
const CGROUPS = "/sys/fs/cgroup";

export interface ShimLossRun extends Pace {
  readonly seed: number;
  readonly pods: number;
  readonly rounds: number;
  /** how many times longer than on an idle machine things may take; 0 sets no bound but that of a hang */
  readonly patience: number;
}

interface Pod {
  readonly life: PodLife;
  readonly writer: ContainerModel;
  /** has ended before: that stays */
  readonly ended: ContainerModel;
  readonly neverStarted: ContainerModel;
  readonly cgroupPath: string;
}

/** @returns what was done @throws Error with the seed and the steps, when something did not hold */
export async function runShimLosses(t: Teardown, node: TestNode, run: ShimLossRun): Promise<string> {
  const { seed, rounds, patience } = run;
  const [random, journal, settledMs] = [new Random(seed), new Journal(), new Quantiles()];
  const world = new World(node, journal, Math.max(patience, 1));
  const writers = await Writers.make(t, node, run);
  const pods = new Map<number, Pod>();
  let made = 0;
  const begin = async (at: number): Promise<void> => {
    pods.set(at, await makePod(world, random.fork(), `s${made++}`, writers));
  };
  await together(
    world,
    Array.from({ length: run.pods }, (_, at) => begin(at)),
  );
  const round = async (): Promise<void> => {
    await pause(random.below(LONGEST_BETWEEN_MS));
    const places = [...pods.keys()];
    const victims = new Set(Array.from({ length: random.between(1, MOST_VICTIMS) }, () => random.pick(places)));
    const together = random.weighted(WITH);
    const lost = [...pods].flatMap(([at, pod]) => (victims.has(at) ? [pod] : []));
    const others = [...pods].flatMap(([at, pod]) => (victims.has(at) ? [] : [pod]));
    const servingSinceMs = await kill(world, random, lost, together);
    await settled(world, lost, servingSinceMs, patience, settledMs);
    for (const { life, writer } of others) {
      await looksRight(life, writer);
      await writesOn(writer);
    }
    journal.count(`${lost.length} ${lost.length === 1 ? "shim" : "shims"} with ${together}`);
    for (const { life } of lost) await removePod(life);
    for (const at of victims) await begin(at);
  };
  await together(world, [
    (async () => {
      for (let left = rounds; left > 0 && !world.aborted; left--) await round();
    })(),
  ]);
  const lines = async ({ life, writer, ended, neverStarted }: Pod): Promise<void> => {
    await stopContainer(life, writer);
    for (const container of [writer, ended, neverStarted]) await removeContainer(life, container);
    await removePod(life);
  };
  if (!world.aborted) await together(world, [...pods.values()].map(lines));
  return verdict(world, `seed ${seed}, ${rounds} losses among ${run.pods} pods, settled within ${settledMs}`);
}

async function makePod(world: World, random: Random, name: string, writers: Writers): Promise<Pod> {
  const logs = join(world.node.logs, name);
  await mkdir(logs);
  const config = { metadata: { name, namespace: "crash", uid: name, attempt: 0 }, log_directory: logs, linux: {} };
  const life: PodLife = { world, random, pod: podModel(name), config, containers: [] };
  world.pods.add(life.pod);
  await runPod(life);
  const writer = await writers.start(life);
  await looksRight(life, writer);
  const ended = await writers.start(life, random.between(1, 20));
  while ((await looksRight(life, ended)) === "RUNNING") await pause(LOOK_AGAIN_MS);
  const neverStarted = await create(life, { command: ["true"], exitCode: 0, lines: 0 });
  const { info } = await world.call<PodStatus>(name, "PodSandboxStatus", { pod_sandbox_id: life.pod.id, verbose: true });
  return { life, writer, ended, neverStarted, cgroupPath: String(JSON.parse(info["info"] ?? "{}").cgroupPath) };
}

/** @returns since when Berth runs and the shims do not, performance.now() */
async function kill(world: World, random: Random, lost: readonly Pod[], together: keyof typeof WITH): Promise<number> {
  const { node, journal } = world;
  const awayMs = random.below(LONGEST_AWAY_MS);
  journal.step("node", `kill: shims of ${lost.map(({ life }) => life.pod.name).join(", ")}, with ${together}, away for ${awayMs} ms`);
  const helper = /helper/.test(together)
    ? await node.eventually("there is a helper", async () => (await node.helperPid()) || undefined)
    : 0;
  await world.disturb(async () => {
    const all = [
      ...lost.map(({ life }) => life.pod.shimPid),
      ...(/berthd/.test(together) ? [node.pid] : []),
      ...(helper === 0 ? [] : [helper]),
    ];
    // In any order, at the same moment.
    if (random.chance(50)) all.reverse();
    for (const { life } of lost) life.pod.shimKilledAtMs = performance.now();
    for (const pid of all) process.kill(pid, "SIGKILL");
    if (!/berthd/.test(together)) return;
    journal.keep(node.log);
    await node.crash();
    await pause(awayMs);
    await node.boot();
  });
  return performance.now();
}

/** @throws Violation when it takes too long, or ends in another way */
async function settled(world: World, lost: readonly Pod[], sinceMs: number, patience: number, took: Quantiles): Promise<void> {
  for (const pod of lost) {
    for (;;) {
      if (world.aborted) return;
      const left = await whatIsLeft(world, pod);
      const ms = performance.now() - sinceMs;
      if (left.length === 0) {
        took.add(ms);
        break;
      }
      if (patience > 0 && ms > SETTLED_WITHIN_MS * patience)
        throw new Violation(`${pod.life.pod.name}: its shim was killed, and ${Math.round(ms)} ms later ${left.join(", ")}`);
      await pause(LOOK_AGAIN_MS);
    }
    // What had ended before has not ended anew.
    await looksRight(pod.life, pod.ended);
    for (const container of [pod.writer, pod.neverStarted]) {
      const state = await looksRight(pod.life, container);
      if (state !== "EXITED 137 ShimLost") throw new Violation(`${container.name}: its shim was killed, and it is ${state}`);
    }
  }
}

/** Of a pod whose shim was killed. */
async function whatIsLeft({ node }: World, { life, writer, neverStarted, cgroupPath }: Pod): Promise<string[]> {
  const { id } = life.pod;
  const call = <A>(name: string, request: object): Promise<A | undefined> =>
    // The helper may have been killed too.
    node.cri.call<A>(name, { ...request }).catch(() => undefined);
  const pod = await call<PodStatus>("PodSandboxStatus", { pod_sandbox_id: id });
  const states = await Promise.all(
    [writer, neverStarted].map(async (each) => (await call<ContainerStatus>("ContainerStatus", { container_id: each.id }))?.status.state),
  );
  const processes = processesIn(cgroupPath);
  // An answer that did not come is none.
  const isHeld = await endpoints(node).then(
    (ids) => ids.includes(id),
    () => true,
  );
  return [
    ...(pod?.status.state === "SANDBOX_NOTREADY" ? [] : [`it is ${pod?.status.state ?? "not told"}`]),
    ...states.filter((state) => state !== "CONTAINER_EXITED").map((state) => `a container is ${state ?? "not told"}`),
    ...(processes.length === 0 ? [] : [`its cgroups have the processes ${processes.join(", ")}`]),
    ...(writer.pid !== undefined && isRunning(writer.pid) ? [`process ${writer.pid} runs`] : []),
    ...(isHeld ? ["its address is held"] : []),
  ];
}

/** Ids of the pods that have an address. */
async function endpoints(node: TestNode): Promise<string[]> {
  const { succeeds } = berthCli(() => node);
  const networks: readonly { endpoints: readonly { podSandboxId: string }[] }[] = JSON.parse(
    await succeeds("network", "inspect", "bridge", "-o", "json"),
  );
  return networks.flatMap((network) => network.endpoints.map(({ podSandboxId }) => podSandboxId));
}

/** In the pod's cgroup or below it, of any hierarchy. */
function processesIn(path: string): string[] {
  const roots = [CGROUPS, ...readdirSync(CGROUPS).map((name) => join(CGROUPS, name))].map((root) => join(root, path)).filter(existsSync);
  return roots.flatMap((root) =>
    [root, ...foldersBelow(root)].flatMap((folder) => {
      try {
        return readFileSync(join(folder, "cgroup.procs"), "utf8").split("\n").filter(Boolean);
      } catch {
        // It has gone meanwhile.
        return [];
      }
    }),
  );
}

function foldersBelow(root: string): string[] {
  try {
    return readdirSync(root, { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(entry.parentPath, entry.name));
  } catch {
    return [];
  }
}
