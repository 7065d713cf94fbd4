// Numbers that look random and follow from a seed alone (splitmix32: a counter in Weyl steps, mixed twice), so that a run can be
// replayed. Each worker has a generator of its own: what one draws does not depend on how fast the others are.

const WEYL_STEP = 0x9e37_79b9;

export class Random {
  #state: number;

  /** @param seed any integer; only its low 32 bits count */
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** Evenly from 0 to `bound` - 1. */
  below(bound: number): number {
    return Math.floor((this.#next() / 2 ** 32) * bound);
  }

  between(least: number, most: number): number {
    return least + this.below(most - least + 1);
  }

  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  /** @throws when there is nothing to pick from */
  pick<T>(from: readonly T[]): T {
    const found = from[this.below(from.length)];
    if (found === undefined) throw new Error("pick: there is nothing to pick from");
    return found;
  }

  /** As often as its weight says. */
  weighted<T extends string>(weights: Readonly<Record<T, number>>): T {
    const names = Object.keys(weights) as T[];
    return this.pick(names.flatMap((name) => Array.from({ length: weights[name] }, () => name)));
  }

  /** Another generator; the n-th fork is the same in every run. */
  fork(): Random {
    return new Random(this.#next());
  }

  #next(): number {
    this.#state = (this.#state + WEYL_STEP) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0_aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a_2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  }
}
