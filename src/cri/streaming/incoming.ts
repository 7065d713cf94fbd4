// A stream whose bytes come from a connection that carries others too.
import { Readable } from "node:stream";
import { Appetite } from "./appetite.ts";

export class Incoming extends Readable {
  readonly #appetite = new Appetite();

  constructor() {
    super();
    // That it breaks is the connection's affair; nobody may be reading it.
    this.on("error", () => {});
  }

  /** @returns when more may come, if not at once */
  receive(data: Buffer): Promise<void> | undefined {
    if (data.length === 0 || this.destroyed || this.readableEnded) return undefined;
    return this.push(data) ? undefined : this.#appetite.next();
  }

  receiveEnd(): void {
    if (!this.destroyed) this.push(null);
  }

  override _read(): void {
    this.#appetite.tell();
  }

  override _destroy(failure: Error | null, done: (failure?: Error | null) => void): void {
    this.#appetite.tell();
    done(failure);
  }
}
