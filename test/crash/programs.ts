// Programs of the containers: each prints numbered lines, and its exit code is known before it starts.
import { type Program, TRAPPED } from "./model.ts";
import type { Random } from "./random.ts";

const PRINT_ON = `trap 'exit ${TRAPPED}' TERM; i=0; while :; do i=$((i+1)); echo line $i; sleep 0.1; done`;

export function randomProgram(random: Random): Program {
  return random.chance(55) ? { command: ["sh", "-c", PRINT_ON], exitCode: undefined, lines: undefined } : endsByItself(random);
}

/** A few lines or thousands at once, then a moment, then the end. */
function endsByItself(random: Random): Program {
  const lines = random.chance(50) ? random.below(5) : random.between(500, 3000);
  const exitCode = random.chance(30) ? 0 : random.between(1, 100);
  const script = `i=0; while [ $i -lt ${lines} ]; do i=$((i+1)); echo line $i; done; sleep 0.${random.below(10)}; exit ${exitCode}`;
  return { command: ["sh", "-c", script], exitCode, lines };
}
