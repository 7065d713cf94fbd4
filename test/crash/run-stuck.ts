// How long other pods take to start while three things hang, against how long they take when nothing does: rounds of both in turn.
import type { TestNode } from "../lib/node.ts";
import { Pod } from "../lib/pods.ts";
import { Quantiles } from "./quantiles.ts";
import { Stuck } from "./stuck.ts";

const MOST_CHANGE_PERCENT = 10;
// Of each round: to make three things hang, an image is pushed, pulled and half unpacked, and the disk is busy with it for a while.
const WARM_UP_STARTS = 10;

export interface StuckRun {
  /** of both kinds together; whole pairs */
  readonly rounds: number;
  readonly startsPerRound: number;
}

/** @returns the figures @throws Error with them, when starts take longer than they may */
export async function runStuck(node: TestNode, { rounds, startsPerRound }: StuckRun): Promise<string> {
  const [calm, calmByTurns, stuck] = [new Quantiles(), [new Quantiles(), new Quantiles()], new Quantiles()];
  const run = async (took: (ms: number) => void): Promise<void> => {
    await measure(node, WARM_UP_STARTS, () => {});
    await measure(node, startsPerRound, took);
  };
  for (let round = 0; round < rounds; round++) {
    // The second of a pair is the first of the next, so that a drift of the machine meets both kinds alike.
    const [pair, isSecond] = [Math.floor(round / 2), round % 2 === 1];
    if (isSecond === (pair % 2 === 0)) {
      const three = await Stuck.begin(node, `stuck-${round}`);
      await run((ms) => stuck.add(ms)).finally(() => three.end());
    } else {
      await run((ms) => {
        calm.add(ms);
        calmByTurns[pair % 2]?.add(ms);
      });
    }
  }
  const [first = calm, second = calm] = calmByTurns;
  const [changed, noise] = [percent(calm, stuck), Math.abs(percent(first, second))];
  const told = [
    `a pod's start (run, create, start), nothing stuck: ${calm}`,
    `  with an unpacker, a pull and a shim stuck:        ${stuck}`,
    `  p99 changes by ${changed.toFixed(1)} %; p50 by ${percent(calm, stuck, 0.5).toFixed(1)} %`,
    `  noise: p99 of every other undisturbed round differs from that of the rest by ${noise.toFixed(1)} %`,
  ].join("\n");
  if (changed < MOST_CHANGE_PERCENT) return told;
  const why =
    noise < MOST_CHANGE_PERCENT ? `starts take over ${MOST_CHANGE_PERCENT} % longer` : "too much noise to tell: run it on an idle machine";
  throw new Error(`${told}\n${why}`);
}

const percent = (before: Quantiles, after: Quantiles, part = 0.99): number => (after.at(part) / before.at(part) - 1) * 100;

async function measure(node: TestNode, starts: number, took: (ms: number) => void): Promise<void> {
  for (let left = starts; left > 0; left--) {
    const startedAtMs = performance.now();
    const pod = await Pod.run(node);
    await pod.start("one", ["sleep", "1000"]);
    took(performance.now() - startedAtMs);
    await pod.remove();
  }
}
