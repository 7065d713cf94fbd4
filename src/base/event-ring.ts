// What has happened lately, numbered, for readers that follow at their own pace. Bounded: who falls behind is told so, and has
// to look at the whole again.
import { AgentError } from "./errors.ts";

export interface Entry<T> {
  /** from 1 on, growing; some may be left out */
  readonly number: number;
  readonly event: T;
}

export interface Numbered<T> {
  /** where to go on after this event; it means nothing to another node */
  readonly cursor: string;
  readonly event: T;
}

export class EventRing<T> {
  readonly #capacity: number;
  readonly #source: string;
  readonly #entries: Entry<T>[];
  /** the newest that is not kept any more */
  #lost: number;
  #waiting = new Set<() => void>();

  /**
   * @param source stands in all cursors: whose events these are
   * @param past in order, at most as many as `capacity`
   */
  constructor(capacity: number, source: string, past: readonly Entry<T>[] = []) {
    this.#capacity = capacity;
    this.#source = source;
    this.#entries = [...past];
    this.#lost = (past[0]?.number ?? 1) - 1;
  }

  append(entry: Entry<T>): void {
    this.#entries.push(entry);
    if (this.#entries.length > this.#capacity) this.#lost = this.#entries.shift()?.number ?? this.#lost;
    const waiting = this.#waiting;
    this.#waiting = new Set();
    for (const wake of waiting) wake();
  }

  /** Of the newest event; 0 before the first one. */
  get newest(): number {
    return this.#entries.at(-1)?.number ?? this.#lost;
  }

  /** Of now: what comes later is after it. */
  get cursor(): string {
    return this.#cursorOf(this.newest);
  }

  /**
   * Events after the cursor, in order.
   *
   * @param follow goes on with what happens later, until `signal` is given
   * @throws AgentError failed-precondition for a cursor of another node, resource-exhausted when events were lost meanwhile
   */
  async *read(cursor: string, follow: boolean, signal: AbortSignal): AsyncGenerator<Numbered<T>> {
    let last = this.#parse(cursor);
    while (!signal.aborted) {
      if (last < this.#lost)
        throw new AgentError(
          "resource-exhausted",
          `read events: those up to ${this.#cursorOf(this.#lost)} are gone; list, then follow from now`,
        );
      const entry = this.#entries[this.#firstAfter(last)];
      if (entry !== undefined) {
        last = entry.number;
        yield { cursor: this.#cursorOf(last), event: entry.event };
      } else if (follow) await this.#nextOr(signal);
      else return;
    }
  }

  /** By halves: numbers grow, with gaps. */
  #firstAfter(number: number): number {
    let [from, to] = [0, this.#entries.length];
    while (from < to) {
      const middle = (from + to) >>> 1;
      if ((this.#entries[middle]?.number ?? 0) > number) to = middle;
      else from = middle + 1;
    }
    return from;
  }

  #cursorOf(number: number): string {
    return `${this.#source}-${number}`;
  }

  #parse(cursor: string): number {
    const [source, number] = cursor.split("-");
    const parsed = /^\d{1,15}$/.test(number ?? "") ? Number(number) : Number.NaN;
    if (source !== this.#source || !(parsed <= this.newest)) {
      throw new AgentError(
        "failed-precondition",
        `read events: cursor ${JSON.stringify(cursor.slice(0, 64))} is not of this node; list, then follow from now`,
      );
    }
    return parsed;
  }

  #nextOr(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#waiting.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      this.#waiting.add(wake);
      signal.addEventListener("abort", wake, { once: true });
    });
  }
}
