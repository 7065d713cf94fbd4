// The person's terminal, handed to a process of the node for as long as it runs.
export interface Terminal {
  size(): { width: number; height: number };
  /** @returns stops it */
  onResize(listener: () => void): () => void;
  /** Raw: each key is sent as it is, also Ctrl-C. */
  setRaw(isRaw: boolean): void;
}

/** Raw until it is disposed. */
export class RawTerminal implements Disposable {
  readonly #terminal: Terminal | undefined;

  constructor(terminal: Terminal | undefined) {
    this.#terminal = terminal;
    terminal?.setRaw(true);
  }

  /** Tells the size now, and whenever it changes. */
  onResize = (listener: (size: { width: number; height: number }) => void): (() => void) => {
    const terminal = this.#terminal;
    if (terminal === undefined) return () => {};
    listener(terminal.size());
    return terminal.onResize(() => listener(terminal.size()));
  };

  [Symbol.dispose](): void {
    this.#terminal?.setRaw(false);
  }
}
