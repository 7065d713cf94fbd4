// What was done, in order, so that a failure can be understood and replayed.

const SHOWN_STEPS = 250;
const SHOWN_LOG_CHARACTERS = 40_000;

export class Violation extends Error {
  override readonly name = "Violation";
}

export class Journal {
  readonly #steps: string[] = [];
  readonly #startedAtMs = performance.now();
  readonly counts = new Map<string, number>();
  /** what berthd says of differences that it found */
  readonly mended: string[] = [];
  #nodeLog = "";

  /** @param subject name of a pod or a container, or "node" */
  step(subject: string, what: string): void {
    this.#steps.push(
      `${Math.round(performance.now() - this.#startedAtMs)
        .toString()
        .padStart(7)} ms  ${subject.padEnd(10)} ${what}`,
    );
  }

  count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  /** The log of a berthd that has ended. */
  keep(nodeLog: string): void {
    this.#nodeLog = `${this.#nodeLog}${nodeLog}`.slice(-SHOWN_LOG_CHARACTERS);
    for (const line of nodeLog.split("\n")) {
      if (/was mended|can not be mended|taken back whole|could not be settled/.test(line)) this.mended.push(line);
    }
  }

  summary(): string {
    return [...this.counts].map(([what, times]) => `${times} × ${what}`).join(", ");
  }

  /** @param subject whose steps are told from the first one on */
  report(headline: string, subject: string): string {
    const own = this.#steps.filter((step) => subject !== "" && step.includes(`  ${subject}`));
    return [
      headline,
      ...(own.length === 0 ? [] : [`--- steps of ${subject}`, ...own]),
      `--- the last steps of ${this.#steps.length}`,
      ...this.#steps.slice(-SHOWN_STEPS),
      "--- log of the node",
      this.#nodeLog,
    ].join("\n");
  }
}
