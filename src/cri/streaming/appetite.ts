// Whether a stream's reader wants more: who brings bytes waits for it.
export class Appetite {
  #waiting: PromiseWithResolvers<void> | undefined;

  /** Resolves with the next `tell`. */
  next(): Promise<void> {
    this.#waiting ??= Promise.withResolvers<void>();
    return this.#waiting.promise;
  }

  tell(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.resolve();
  }
}
