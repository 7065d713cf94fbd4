// A retry of a call in flight joins it and gets its answer.

export class CallsInFlight<T> {
  readonly #calls = new Map<string, Promise<T>>();

  join(key: string, start: () => Promise<T>): Promise<T> {
    const running = this.#calls.get(key);
    if (running !== undefined) return running;
    const call = start().finally(() => this.#calls.delete(key));
    this.#calls.set(key, call);
    return call;
  }
}
