// One run: pods and images live their lives at the same time, processes of Berth are killed, and at the end nothing is left.
import { berthOf } from "../lib/berth.ts";
import type { TestNode } from "../lib/node.ts";
import { Pod } from "../lib/pods.ts";
import { checkLives, EventWatcher } from "./event-watcher.ts";
import { liveImage, pushImages } from "./image-life.ts";
import { Journal, Violation } from "./journal.ts";
import { Killer } from "./killer.ts";
import { livePod } from "./pod-life.ts";
import { Random } from "./random.ts";
import { difference, quietRemains, remains } from "./remains.ts";
import { together, verdict } from "./together.ts";
import { pause, World } from "./world.ts";

const FIRST_HOST_PORT = 21_000;
const CLEAN_WITHIN_MS = 3000;
const LOOK_AGAIN_MS = 100;

export interface CrashRun {
  readonly seed: number;
  /** at least so many calls of the CRI are made; lives that have begun go on to their end */
  readonly calls: number;
  readonly kills: number;
  /** pods at the same time */
  readonly pods: number;
  /** how many times longer than on an idle machine things may take */
  readonly patience: number;
}

/** @returns what was done @throws Error with the seed and the steps, when something did not hold */
export async function runCrashes(node: TestNode, run: CrashRun): Promise<string> {
  const { seed, calls, kills, pods, patience } = run;
  const [random, journal] = [new Random(seed), new Journal()];
  const world = new World(node, journal, patience);
  const images = await pushImages(node, 2);
  const watcher = await EventWatcher.begin(node.socket, new Random(seed));
  await makeFolders(node);
  const before = await quietRemains(node);
  const killer = new Killer(world, random.fork(), calls, kills);
  const live = async (life: (own: Random, round: number) => Promise<void>, own: Random): Promise<void> => {
    for (let round = 0; world.calls < calls && !world.aborted; round++) await life(own, round);
  };
  await together(world, [
    ...Array.from({ length: pods }, (_, at) =>
      live((own, round) => livePod(world, own, `p${at}r${round}`, FIRST_HOST_PORT + at), random.fork()),
    ),
    ...images.map((image) => live((own) => liveImage(world, own, image), random.fork())),
  ]);
  await together(world, [killer.idle()]);
  if (!world.aborted) await together(world, [nothingIsLeft(node, before, patience)]);
  await together(world, [watcher.end().then((lives) => checkLives(lives, world.known, world.started))]);
  return verdict(world, `seed ${seed}, ${world.calls} calls, ${kills} kills, ${pods} pods at a time, ${watcher.summary}`);
}

/** Some folders of a node are made with the first container, and stay. */
async function makeFolders(node: TestNode): Promise<void> {
  const pod = await Pod.run(node);
  await pod.start("first", ["true"]);
  await pod.remove();
}

async function nothingIsLeft(node: TestNode, before: readonly string[], patience: number): Promise<void> {
  const { berth } = berthOf(() => node);
  for (const deadline = performance.now() + CLEAN_WITHIN_MS * patience; ; await pause(LOOK_AGAIN_MS)) {
    const { code, stdout, stderr } = await berth("audit");
    const left = difference(before, await remains(node));
    if (code === 0 && left.length === 0) return;
    if (performance.now() > deadline) throw new Violation(`something is left: ${stdout}${stderr}\n${left.join("\n")}`);
  }
}
