// Files and folders that work under way has made for itself and will take away: who clears up leaves them alone.

export class InHand {
  readonly #paths = new Set<string>();

  async during<T>(path: string, work: () => Promise<T>): Promise<T> {
    this.#paths.add(path);
    try {
      return await work();
    } finally {
      this.#paths.delete(path);
    }
  }

  has(path: string): boolean {
    return this.#paths.has(path);
  }
}
