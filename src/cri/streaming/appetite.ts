// Whether a stream's reader wants more: who brings bytes waits for it.
export class Appetite {
  #resolve: (() => void) | undefined;

  /** Resolves with the next `tell`. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  tell(): void {
    const resolve = this.#resolve;
    this.#resolve = undefined;
    resolve?.();
  }
}
