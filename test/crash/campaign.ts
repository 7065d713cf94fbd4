// Long runs by hand: SEED=1 SEEDS=3 CALLS=2000 KILLS=200 make campaign
import { TestNode } from "../lib/node.ts";
import { runCrashes } from "./run-crashes.ts";

const number = (name: string, otherwise: number): number => {
  const value = Number(process.env[name] ?? otherwise);
  if (!Number.isFinite(value) || value < 0) throw new Error(`${name}=${process.env[name]}: not a number`);
  return value;
};

const [first, seeds] = [number("SEED", 1), number("SEEDS", 1)];
for (let seed = first; seed < first + seeds; seed++) {
  const steps: (() => Promise<void> | void)[] = [];
  try {
    const node = await TestNode.start({ teardown: (step) => steps.unshift(step) });
    const startedAtMs = performance.now();
    const run = {
      seed,
      calls: number("CALLS", 2000),
      kills: number("KILLS", 200),
      pods: number("PODS", 8),
      patience: number("PATIENCE", 3),
    };
    console.log(await runCrashes(node, run));
    console.log(`  ✔ ${Math.round((performance.now() - startedAtMs) / 1000)} s`);
  } catch (failure) {
    console.log(failure instanceof Error ? failure.message : failure);
    process.exitCode = 1;
  }
  for (const step of steps) await step();
}
