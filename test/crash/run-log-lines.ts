// Pods that print lines all the time, while berthd and helper are killed, logs are rotated, containers come, go and end, and the
// disk of the logs is full for a while: no line is lost or doubled, and nobody ends who was not to.
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { berthCli } from "../lib/berth-cli.ts";
import type { TestNode } from "../lib/node.ts";
import type { SmallDisk } from "../lib/small-disk.ts";
import type { Teardown } from "../lib/teardown.ts";
import { looksRight, removeContainer, rotate, stopContainer } from "./container-life.ts";
import { Journal, Violation } from "./journal.ts";
import { type Kills, killOften } from "./kill-often.ts";
import { linesWritten } from "./log-lines.ts";
import { type ContainerModel, podModel } from "./model.ts";
import { type PodLife, removePod, runPod } from "./pod-life.ts";
import { Random } from "./random.ts";
import { together, verdict } from "./together.ts";
import { pause, World } from "./world.ts";
import { type Pace, Writers, writesOn } from "./writers.ts";

const LONGEST_PAUSE_MS = 2500;
const TERM_TIMEOUT_SECONDS = 10;
const LOOK_AGAIN_MS = 100;
// When there is room for it.
const WRITTEN_WITHIN_MS = 3000;
// What a pipe takes of a writer that is not heard any more, in lines of the fewest bytes.
const MOST_AHEAD = (64 * 1024) / "line 1\n".length;

export interface LogLinesRun extends Pace {
  readonly seed: number;
  readonly pods: number;
  readonly kills: Kills;
  /** that has the logs, and is full during a part of the kills */
  readonly disk?: SmallDisk;
  /** how many times longer than on an idle machine things may take */
  readonly patience: number;
}

interface Pod {
  readonly life: PodLife;
  /** prints from the beginning to the end */
  readonly first: ContainerModel;
}

/** @returns what was done @throws Error with the seed and the steps, when something did not hold */
export async function runLogLines(t: Teardown, node: TestNode, run: LogLinesRun): Promise<string> {
  const { seed, pods: count, kills, patience, disk } = run;
  const [random, journal] = [new Random(seed), new Journal()];
  const world = new World(node, journal, patience);
  const writers = await Writers.make(t, node, run);
  const pods: Pod[] = [];
  let [isOver, fullUntilMs] = [false, 0];

  const killer = random.fork();
  const killSome = (some: Kills): Promise<void> => killOften(world, killer, some, () => endSome(killer, pods));
  const begin = async (own: Random, name: string): Promise<void> => {
    const logs = join(disk?.path ?? node.logs, name);
    await mkdir(logs);
    const config = { metadata: { name, namespace: "crash", uid: name, attempt: 0 }, log_directory: logs, linux: {} };
    const life: PodLife = {
      world,
      random: own,
      pod: podModel(name),
      config,
      containers: [],
      isLogLate: () => performance.now() < fullUntilMs,
    };
    world.pods.add(life.pod);
    await runPod(life);
    pods.push({ life, first: await writers.start(life) });
  };
  await together(
    world,
    Array.from({ length: count }, (_, at) => begin(random.fork(), `w${at}`)),
  );
  await together(world, [
    ...pods.map(async (pod) => {
      while (!isOver && !world.aborted) await takeStep(pod, writers);
    }),
    (async () => {
      if (disk === undefined) return await killSome(kills);
      const [before, untilSaid, full, after] = inFour(kills);
      await killSome(before);
      fullUntilMs = Number.POSITIVE_INFINITY;
      await isFullFor(world, disk, pods, [() => killSome(untilSaid), () => killSome(full)]);
      fullUntilMs = performance.now() + WRITTEN_WITHIN_MS * patience;
      await killSome(after);
    })().finally(() => {
      isOver = true;
    }),
  ]);
  let lines = 0;
  const wentOn = async (pod: Pod): Promise<void> => {
    const { life, first } = pod;
    await writesOn(first);
    const state = await looksRight(life, first);
    if (state !== "RUNNING") throw new Violation(`${first.name}: is ${state}, and nobody has stopped it`);
    await endAll(pod);
    lines += linesWritten(first.program.writer?.countFile ?? "");
    await removePod(life);
  };
  if (!world.aborted) await together(world, pods.map(wentOn));
  const told = `seed ${seed}, ${count} pods of ${run.linesPerSecond} lines a second${disk === undefined ? "" : ", the disk of the logs full for a while"}`;
  return verdict(world, `${told}, ${lines} lines of those that wrote all the time`);
}

async function takeStep({ life, first }: Pod, writers: Writers): Promise<void> {
  const { random, containers } = life;
  await pause(random.below(LONGEST_PAUSE_MS));
  const others = containers.filter((container) => container !== first && container.removed === "no");
  switch (random.weighted({ rotate: 40, start: 25, look: 15, end: 20 })) {
    case "rotate":
      return await rotate(life, first);
    case "start": {
      // Some end soon by themselves, the others are ended.
      const lines = random.chance(60) ? random.between(1, 1000) : undefined;
      return void (await writers.start(life, lines));
    }
    case "look":
      for (const container of [first, ...others]) await looksRight(life, container);
      return;
    case "end":
      if (others.length > 0) await end(life, random.pick(others));
  }
}

async function end(life: PodLife, container: ContainerModel): Promise<void> {
  if ((await looksRight(life, container)) === "RUNNING") {
    // A signal that comes before its program is one for its loader.
    if (linesWritten(container.program.writer?.countFile ?? "") === 0) await writesOn(container);
    await stopContainer(life, container);
  }
  // What is not in its log by then is lost.
  if (container.exit === undefined) return;
  life.world.journal.count("exit with its code and its lines");
  await removeContainer(life, container);
}

async function endAll({ life }: Pod): Promise<void> {
  for (const container of life.containers) {
    for (; container.removed === "no"; await pause(LOOK_AGAIN_MS)) await end(life, container);
  }
}

/** Ends containers as something else on the node would, with berthd not there to see it. */
async function endSome(random: Random, pods: readonly Pod[]): Promise<void> {
  const candidates = pods.flatMap(({ life, first }) =>
    life.containers.filter((each) => each !== first && isLeftAlone(each)).map((container) => ({ life, container })),
  );
  for (const { life, container } of candidates.filter(() => random.chance(20))) {
    const { pid, program } = container;
    if (pid === undefined || program.writer === undefined || linesWritten(program.writer.countFile) === 0) continue;
    // The number may be another's by now.
    const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    if (!command.includes(`/counts/${container.name}\0`)) continue;
    container.stopTimeouts.push(TERM_TIMEOUT_SECONDS);
    container.stopped = "asked";
    process.kill(pid, "SIGTERM");
    life.world.journal.count("end while berthd was dead");
  }
}

const isLeftAlone = ({ program, started, stopped, exit }: ContainerModel): boolean =>
  program.exitCode === undefined && started === "done" && stopped === "no" && exit === undefined;

function inFour({ berthd, helper }: Kills): [Kills, Kills, Kills, Kills] {
  const part = (all: number, index: number): number => Math.floor((all + index) / 4);
  const kills = (index: number): Kills => ({ berthd: part(berthd, index), helper: part(helper, index) });
  return [kills(0), kills(1), kills(2), kills(3)];
}

/** @param works the first is done until each pod is to say that it waits, the second while all wait */
async function isFullFor(
  world: World,
  disk: SmallDisk,
  pods: readonly Pod[],
  works: readonly [() => Promise<void>, () => Promise<void>],
): Promise<void> {
  const { node, journal } = world;
  const { berth } = berthCli(() => node);
  disk.fill();
  journal.step("node", "the disk of the logs is full");
  await works[0]();
  for (const { life, first } of pods) {
    for (;;) {
      if (world.aborted) return;
      // What another's last rotation has given back is taken again.
      disk.fill();
      const { stdout } = await berth(["why", life.pod.id]);
      const words = `${first.name} waits for room for its log, which can't be written: write log `;
      if (stdout.toString().includes(words)) break;
      await pause(LOOK_AGAIN_MS);
    }
  }
  const counts = pods.map(({ first }) => linesWritten(first.program.writer?.countFile ?? ""));
  await works[1]();
  const after = pods.map(({ first }) => linesWritten(first.program.writer?.countFile ?? ""));
  const ran = pods.find((_, index) => (after[index] ?? 0) > (counts[index] ?? 0) + MOST_AHEAD);
  if (ran !== undefined) throw new Violation(`${ran.first.name}: goes on writing, although its log can't be written`);
  disk.free();
  journal.step("node", "the disk of the logs has room again");
  for (const { first } of pods) await writesOn(first);
}
