// What has happened lately, numbered, for readers that follow at their own pace. Bounded: who falls behind is told so, and has
// to look at the whole again.
import { randomBytes } from "node:crypto";
import { AgentError } from "./errors.ts";

export interface Numbered<T> {
  /** where to go on after this event; it means nothing to another process */
  readonly cursor: string;
  readonly event: T;
}

export class EventRing<T> {
  readonly #capacity: number;
  readonly #instance = randomBytes(4).toString("hex");
  readonly #events: T[] = [];
  /** number of the oldest event that is kept */
  #first = 1;
  #waiting = new Set<() => void>();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  append(event: T): void {
    this.#events.push(event);
    if (this.#events.length > this.#capacity) {
      this.#events.shift();
      this.#first++;
    }
    const waiting = this.#waiting;
    this.#waiting = new Set();
    for (const wake of waiting) wake();
  }

  /** Of now: what comes later is after it. */
  get cursor(): string {
    return this.#cursorOf(this.#next - 1);
  }

  /**
   * Events after the cursor, in order.
   *
   * @param follow goes on with what happens later, until `signal` is given
   * @throws AgentError failed-precondition for a cursor of another process, resource-exhausted when events were lost meanwhile
   */
  async *read(cursor: string, follow: boolean, signal: AbortSignal): AsyncGenerator<Numbered<T>> {
    let number = this.#parse(cursor) + 1;
    while (!signal.aborted) {
      if (number < this.#first)
        throw new AgentError(
          "resource-exhausted",
          `read events: those before ${this.#cursorOf(this.#first)} are gone; list, then follow from now`,
        );
      const event = this.#events[number - this.#first];
      if (event !== undefined) yield { cursor: this.#cursorOf(number++), event };
      else if (follow) await this.#nextOr(signal);
      else return;
    }
  }

  get #next(): number {
    return this.#first + this.#events.length;
  }

  #cursorOf(number: number): string {
    return `${this.#instance}-${number}`;
  }

  #parse(cursor: string): number {
    const [instance, number] = cursor.split("-");
    const parsed = /^\d{1,15}$/.test(number ?? "") ? Number(number) : Number.NaN;
    if (instance !== this.#instance || !(parsed < this.#next)) {
      throw new AgentError(
        "failed-precondition",
        `read events: cursor ${JSON.stringify(cursor.slice(0, 64))} is not of this berthd; list, then follow from now`,
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
