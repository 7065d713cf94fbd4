// Wakes whoever follows a file: by the kernel's events of its folder, and slowly by itself where there are none.
import { type FSWatcher, watch } from "node:fs";

// For file systems without events, and for a folder that is not there yet.
const FALLBACK_MS = 500;

export class FolderChanges implements Disposable {
  readonly #folder: string;
  readonly #until: AbortSignal;
  #watcher: FSWatcher | undefined;
  #changed = false;
  #wake: (() => void) | undefined;
  readonly #notice = (): void => {
    this.#changed = true;
    this.#wake?.();
  };

  /** @param until wakes too, when it is aborted */
  constructor(folder: string, until: AbortSignal) {
    this.#folder = folder;
    this.#until = until;
    until.addEventListener("abort", this.#notice);
    this.#watch();
  }

  /** Resolves at the next change; at once when there was one since the last time. */
  async next(): Promise<void> {
    this.#watch();
    if (!this.#changed && !this.#until.aborted) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, FALLBACK_MS);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#wake = undefined;
    }
    this.#changed = false;
  }

  [Symbol.dispose](): void {
    this.#until.removeEventListener("abort", this.#notice);
    this.#watcher?.close();
  }

  #watch(): void {
    if (this.#watcher !== undefined) return;
    try {
      this.#watcher = watch(this.#folder, { persistent: false }, this.#notice);
      this.#watcher.on("error", () => {
        this.#watcher?.close();
        this.#watcher = undefined;
      });
    } catch {
      // Not there yet, or no more watches: the timer does it, and we try again.
    }
  }
}
