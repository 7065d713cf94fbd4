// Many containers in hostile roots, one after the other.
import { HostileHost, type Trial } from "../lib/hostile-host.ts";
import { randomRoot, SHAPE_NAMES, TOUCHED_PATHS } from "../lib/hostile-root.ts";
import type { TestNode } from "../lib/node.ts";
import { Random } from "./random.ts";
import { RUNTIMES } from "../lib/runtimes.ts";

/** Each thing at each place alone, then several at once, without end. */
function* plan(random: Random): Generator<Trial> {
  const kind = () => ({ tty: random.chance(30), ownIds: random.chance(20) });
  for (const path of TOUCHED_PATHS)
    for (const shape of SHAPE_NAMES) for (const runtime of RUNTIMES) yield { root: { [path]: shape }, runtime, ...kind() };
  for (;;) yield { root: randomRoot(random), runtime: random.pick(RUNTIMES), ...kind() };
}

/** @returns what was done, for people @throws with all that went wrong */
export async function runHostileImages(
  node: TestNode,
  { seed, trials }: { readonly seed: number; readonly trials: number },
): Promise<string> {
  const host = await HostileHost.on(node);
  const harm: string[] = [];
  let [tried, ran] = [0, 0];
  for (const trial of plan(new Random(seed))) {
    if (tried === trials) break;
    tried++;
    const { refusal, problems } = await host.run(trial);
    if (refusal === "") ran++;
    if (problems.length > 0) harm.push(`  ✘ ${JSON.stringify(trial)}: ${problems.join("; ")}`);
  }
  const summary = `seed ${seed}: ${tried} hostile roots, of which ${ran} ran`;
  if (harm.length > 0) throw new Error([`${summary}, and ${harm.length} did harm`, ...harm].join("\n"));
  return summary;
}
