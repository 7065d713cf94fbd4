// How fast CPU time grows, from what was seen when it was asked for before.

interface Sample {
  readonly atNanos: bigint;
  readonly usedNanos: bigint;
  readonly nanoCores: bigint | undefined;
}

// Two questions that close together would give a rate of noise.
const SHORTEST_WINDOW_NANOS = 100_000_000n;
// Of objects that are gone; a node has far fewer that live.
const MAX_SAMPLES = 20_000;

export class CpuRates {
  readonly #samples = new Map<string, Sample>();

  /**
   * @param atNanos when it was seen; wall clock
   * @param usedNanos CPU time since the beginning
   * @returns billionths of a core since the last question that was 0.1 s ago or more; undefined while there was none
   */
  rate(key: string, atNanos: bigint, usedNanos: bigint): bigint | undefined {
    const before = this.#samples.get(key);
    if (before !== undefined) {
      const window = atNanos - before.atNanos;
      if (window >= 0n && window < SHORTEST_WINDOW_NANOS) return before.nanoCores;
      // A clock that was set back, or a cgroup that was made anew: begin again.
      const grows = window > 0n && usedNanos >= before.usedNanos;
      const nanoCores = grows ? ((usedNanos - before.usedNanos) * 1_000_000_000n) / window : undefined;
      this.#samples.set(key, { atNanos, usedNanos, nanoCores });
      return nanoCores;
    }
    if (this.#samples.size >= MAX_SAMPLES) this.#samples.clear();
    this.#samples.set(key, { atNanos, usedNanos, nanoCores: undefined });
    return undefined;
  }
}
