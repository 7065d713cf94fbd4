// Races with an OCI runtime, thousands of times each.
import { copyRuntimes, flagsOf } from "../lib/copied-runtimes.ts";
import { TestNode } from "../lib/node.ts";
import { RUNTIMES } from "../lib/runtimes.ts";
import type { Teardown } from "../lib/teardown.ts";
import { raceMounts } from "./race-mounts.ts";
import { raceOverwrites } from "./race-overwrites.ts";

/** @param tell hears a line for each race @returns what was done, for people @throws with all that went wrong */
export async function runRaces(t: Teardown, tries: number, tell: (line: string) => void): Promise<string> {
  const runtimes = await copyRuntimes(t);
  const node = await TestNode.start(t, { flags: flagsOf(runtimes) });
  for (const runtime of RUNTIMES) {
    const races = [() => raceMounts(t, node, { runtime, tries }), () => raceOverwrites(t, node, runtimes, { runtime, tries })];
    for (const race of races) {
      const startedAtMs = performance.now();
      tell(`  ${await race()}, ${Math.round((performance.now() - startedAtMs) / 1000)} s`);
    }
  }
  return `each race was run ${tries} times and more`;
}
