// Durations, as they are told.

export class Quantiles {
  readonly #values: number[] = [];

  /** @param ms milliseconds */
  add(ms: number): void {
    this.#values.push(ms);
  }

  get count(): number {
    return this.#values.length;
  }

  /** The smallest value that at least this part of all does not exceed; NaN of none. @param part 0 to 1 */
  at(part: number): number {
    const sorted = this.#values.toSorted((a, b) => a - b);
    return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? Number.NaN;
  }

  toString(): string {
    const told = [0.5, 0.9, 0.99, 1].map((part) => this.at(part).toFixed(1));
    return `p50/p90/p99/most ${told.join("/")} ms (${this.count})`;
  }
}
