// Kills berthd and its helper so and so often, at moments that a seed draws, and starts them again.
import type { Random } from "./random.ts";
import { pause, type World } from "./world.ts";

const LONGEST_BETWEEN_MS = 1500;
const LONGEST_AWAY_MS = 800;

export interface Kills {
  readonly berthd: number;
  readonly helper: number;
}

/** @param whileAway called each time while berthd is dead */
export async function killOften(world: World, random: Random, { berthd, helper }: Kills, whileAway: () => Promise<void>): Promise<void> {
  let [berthdLeft, helperLeft] = [berthd, helper];
  while (berthdLeft + helperLeft > 0 && !world.aborted) {
    await pause(random.below(LONGEST_BETWEEN_MS));
    const isBerthd = random.below(berthdLeft + helperLeft) < berthdLeft;
    if (isBerthd) berthdLeft -= 1;
    else helperLeft -= 1;
    await world.disturb(() => (isBerthd ? killBerthd(world, random, whileAway) : killHelper(world)));
    world.journal.count(`kill of ${isBerthd ? "berthd" : "the helper"}`);
  }
}

async function killBerthd({ node, journal }: World, random: Random, whileAway: () => Promise<void>): Promise<void> {
  const awayMs = random.below(LONGEST_AWAY_MS);
  journal.step("node", `kill: berthd, away for ${awayMs} ms`);
  journal.keep(node.log);
  await node.crash();
  await Promise.all([pause(awayMs), whileAway()]);
  await node.boot();
  journal.step("node", "berthd serves again");
}

async function killHelper({ node, journal }: World): Promise<void> {
  const pid = await node.eventually("there is a helper", async () => (await node.helperPid()) || undefined);
  journal.step("node", "kill: the helper");
  process.kill(pid, "SIGKILL");
}
