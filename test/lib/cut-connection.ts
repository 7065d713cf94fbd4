// A client whose connection breaks after so many bytes, of both directions together.
import { type Socket, connect } from "node:net";
import { Duplex } from "node:stream";

/** How an HTTP client makes its connection, if not by itself. */
export interface ConnectionMaker {
  readonly createConnection?: () => Duplex;
}

/** @param afterBytes at least 1 @param resets whether it breaks, or ends */
export function cutConnection(
  url: string,
  afterBytes: number,
  resets: boolean,
): { readonly by: ConnectionMaker; readonly cut: Promise<void> } {
  const { hostname, port } = new URL(url);
  const connection = new CutConnection(connect({ host: hostname, port: Number(port) }), afterBytes, resets);
  const cut = new Promise<void>((resolve) => connection.once("close", () => resolve()));
  return { by: { createConnection: () => connection }, cut };
}

class CutConnection extends Duplex {
  readonly #socket: Socket;
  readonly #resets: boolean;
  #left: number;

  constructor(socket: Socket, afterBytes: number, resets: boolean) {
    super();
    this.#socket = socket;
    this.#left = afterBytes;
    this.#resets = resets;
    socket.on("data", (chunk) => {
      if (!this.push(this.#take(chunk))) socket.pause();
      this.#cutIfOver();
    });
    socket.once("end", () => this.push(null));
    socket.on("error", () => {});
    socket.once("close", () => this.destroy());
    this.on("error", () => {});
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#socket.write(this.#take(chunk), () => {
      this.#cutIfOver();
      done();
    });
  }

  override _final(done: () => void): void {
    this.#socket.end(done);
  }

  override _destroy(_failure: Error | null, done: () => void): void {
    this.#socket.destroy();
    done();
  }

  #take(chunk: Buffer): Buffer {
    const taken = chunk.subarray(0, this.#left);
    this.#left -= taken.length;
    return taken;
  }

  #cutIfOver(): void {
    if (this.#left > 0) return;
    if (this.#resets) this.#socket.resetAndDestroy();
    this.destroy();
  }
}
