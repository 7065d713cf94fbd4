// Containers that print numbered lines at a pace, and count them where we see it.
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { programMount } from "../lib/c-program.ts";
import type { Message } from "../lib/cri.ts";
import type { TestNode } from "../lib/node.ts";
import type { Teardown } from "../lib/teardown.ts";
import { create, nameOfNext, start } from "./container-life.ts";
import { Violation } from "./journal.ts";
import { linesWritten } from "./log-lines.ts";
import type { ContainerModel, Program } from "./model.ts";
import type { PodLife } from "./pod-life.ts";
import type { Random } from "./random.ts";
import { pause } from "./world.ts";

const LOOK_AGAIN_MS = 20;
const PATIENCE_MS = 30_000;

export interface Pace {
  readonly linesPerSecond: number;
  /** bytes more in each line */
  readonly padding: number;
}

export class Writers {
  readonly #folder: string;
  readonly #mounts: readonly Message[];
  readonly #pace: Pace;

  private constructor(folder: string, program: Message, pace: Pace) {
    this.#folder = folder;
    this.#mounts = [program, { host_path: folder, container_path: "/counts" }];
    this.#pace = pace;
  }

  static async make(t: Teardown, node: TestNode, pace: Pace): Promise<Writers> {
    const folder = await mkdtemp(join(node.folder, "counts-"));
    return new Writers(folder, await programMount(t, "number-lines.c"), pace);
  }

  /** Runs in the pod until it has printed so many lines; without a number until it is stopped. */
  async start(life: PodLife, lines?: number): Promise<ContainerModel> {
    const container = await create(life, this.#program(nameOfNext(life), life.random, lines));
    await start(life, container);
    return container;
  }

  #program(name: string, random: Random, lines: number | undefined): Program {
    const exitCode = random.between(1, 100);
    const { linesPerSecond, padding } = this.#pace;
    return {
      command: ["/number-lines", `/counts/${name}`, ...[linesPerSecond, lines ?? 0, exitCode, padding].map(String)],
      exitCode: lines === undefined ? undefined : exitCode,
      lines,
      writer: { countFile: join(this.#folder, name), exitCodeAtTerm: exitCode, mounts: this.#mounts },
    };
  }
}

const countOf = ({ name, program }: ContainerModel): number => {
  if (program.writer === undefined) throw new Error(`${name} is no writer`);
  return linesWritten(program.writer.countFile);
};

/** When it has printed more than it has now. */
export async function writesOn(container: ContainerModel): Promise<void> {
  const before = countOf(container);
  for (const deadline = performance.now() + PATIENCE_MS; countOf(container) <= before; await pause(LOOK_AGAIN_MS)) {
    if (performance.now() > deadline) throw new Violation(`${container.name}: has written no line after ${before} for ${PATIENCE_MS} ms`);
  }
}
