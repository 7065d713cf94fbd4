// Every start is explainable: each stage is timed and kept.

export interface Stage {
  /** "sandbox: endpoint", "container web: oci create" */
  readonly name: string;
  /** "" for a stage of the sandbox */
  readonly containerId: string;
  readonly startedAtNanos: bigint;
  readonly durationNanos: bigint;
}

export interface StageClock {
  nowNanos(): bigint;
}

/** Collects the stages of one piece of work. */
export class Stages {
  readonly list: Stage[] = [];
  readonly #clock: StageClock;
  readonly #prefix: string;
  readonly #containerId: string;
  readonly #show: (name: string) => void;

  /** @param show is told of each stage when it begins */
  constructor(clock: StageClock, prefix: string, containerId = "", show: (name: string) => void = () => {}) {
    this.#show = show;
    this.#clock = clock;
    this.#prefix = prefix;
    this.#containerId = containerId;
  }

  async time<T>(name: string, work: () => Promise<T>): Promise<T> {
    const startedAtNanos = this.#clock.nowNanos();
    this.#show(name);
    try {
      return await work();
    } finally {
      this.add(name, startedAtNanos, this.#clock.nowNanos() - startedAtNanos);
    }
  }

  add(name: string, startedAtNanos: bigint, durationNanos: bigint): void {
    this.list.push({ name: `${this.#prefix}: ${name}`, containerId: this.#containerId, startedAtNanos, durationNanos });
  }

  addAll(stages: readonly { name: string; startedAtNanos: bigint; durationNanos: bigint }[]): void {
    for (const stage of stages) this.add(stage.name, stage.startedAtNanos, stage.durationNanos);
  }
}
