// What pulls and loads under way have brought, or mean to use, and no image has yet: none of it is cleared away.

export class Leases {
  readonly #held = new Map<string, number>();

  isHeld(key: string): boolean {
    return this.#held.has(key);
  }

  open(): Lease {
    return new Lease(this.#held);
  }
}

/** The part of one pull or load. */
export class Lease {
  readonly #held: Map<string, number>;
  readonly #mine = new Set<string>();

  constructor(held: Map<string, number>) {
    this.#held = held;
  }

  /** @param key a digest or a chain id; hold it before looking whether it is there */
  hold(key: string): void {
    if (this.#mine.has(key)) return;
    this.#mine.add(key);
    this.#held.set(key, (this.#held.get(key) ?? 0) + 1);
  }

  release(): void {
    for (const key of this.#mine) {
      const left = (this.#held.get(key) ?? 0) - 1;
      if (left > 0) this.#held.set(key, left);
      else this.#held.delete(key);
    }
    this.#mine.clear();
  }
}
