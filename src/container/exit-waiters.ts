// Who waits for a container to exit.

export class ExitWaiters {
  readonly #waiters = new Map<string, Set<() => void>>();

  /** Resolves true at the exit, false after `timeoutMs`. */
  wait(containerId: string, timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const waiters = this.#waiters.get(containerId) ?? new Set();
      this.#waiters.set(containerId, waiters);
      const done = (exited: boolean): void => {
        clearTimeout(timer);
        waiters.delete(wake);
        if (waiters.size === 0 && this.#waiters.get(containerId) === waiters) this.#waiters.delete(containerId);
        resolve(exited);
      };
      const wake = (): void => done(true);
      const timer = setTimeout(() => done(false), timeoutMs);
      waiters.add(wake);
    });
  }

  exited(containerId: string): void {
    for (const wake of [...(this.#waiters.get(containerId) ?? [])]) wake();
  }
}
