// When a difference is next tried, and what is said of it: once that it is there, once that it can't be mended.
import type { Log } from "../base/log.ts";
import { type Difference, keyOf } from "./difference.ts";

const FIRST_MS = 60_000;
const MOST_MS = 3_600_000;

interface Tries {
  readonly waitMs: number;
  readonly nextAtMs: number;
}

export class Retries {
  readonly #log: Log;
  readonly #nowMs: () => number;
  #tries = new Map<string, Tries>();

  /** @param nowMs of a clock that only goes forward */
  constructor(log: Log, nowMs: () => number = () => performance.now()) {
    this.#log = log;
    this.#nowMs = nowMs;
  }

  /** Forgets what is not there any more. */
  seen(differences: readonly Difference[]): void {
    const keys = new Set(differences.map(keyOf));
    this.#tries = new Map([...this.#tries].filter(([key]) => keys.has(key)));
  }

  isDue(difference: Difference): boolean {
    return this.#nowMs() >= (this.#tries.get(keyOf(difference))?.nextAtMs ?? 0);
  }

  /** @param failure "" when it was mended, undefined when it was left alone */
  tried(difference: Difference, failure: string | undefined): void {
    const { class: kind, object, sandboxId, problem, mend } = difference;
    const key = keyOf(difference);
    const before = this.#tries.get(key);
    const fields = { class: kind, object, podSandboxId: sandboxId, problem };
    if (failure === "") {
      this.#tries.delete(key);
      this.#log.warn(fields, "a difference between records and what exists was mended");
    } else if (failure !== undefined || mend.step === "none") {
      if (before !== undefined && !this.isDue(difference)) return;
      const waitMs = before === undefined ? FIRST_MS : Math.min(before.waitMs * 2, MOST_MS);
      this.#tries.set(key, { waitMs, nextAtMs: this.#nowMs() + waitMs });
      if (before === undefined)
        this.#log.error(
          { ...fields, err: failure ?? "nobody but a person can mend it" },
          "a difference between records and what exists stays",
        );
    }
  }
}
