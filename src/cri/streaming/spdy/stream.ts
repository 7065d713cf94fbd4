// One stream of a SPDY session, as a duplex: what is written waits until the connection has taken it, and what comes waits for its
// reader.
import { Duplex } from "node:stream";
import { Appetite } from "../appetite.ts";
import type { Headers } from "./header-block.ts";

/** How a stream sends. Callbacks come when the connection has taken the bytes. */
export interface StreamSender {
  data(streamId: number, data: Buffer, fin: boolean, sent: (failure?: Error | null) => void): void;
  /** The stream is over before its end. */
  reset(streamId: number): void;
  /** Nothing more is sent or taken. */
  forget(streamId: number): void;
}

// The connection is read on until that much waits in a stream; then all its streams wait.
const BUFFERED_BYTES = 256 * 1024;

export class SpdyStream extends Duplex {
  readonly id: number;
  readonly headers: Headers;
  readonly #sender: StreamSender;
  readonly #appetite = new Appetite();
  #wasReset = false;

  constructor(id: number, headers: Headers, sender: StreamSender) {
    super({ readableHighWaterMark: BUFFERED_BYTES, allowHalfOpen: true });
    this.id = id;
    this.headers = headers;
    this.#sender = sender;
    // A stream that breaks is its user's affair; nobody may be using it.
    this.on("error", () => {});
  }

  /** Resolves when more may come. */
  async receive(data: Buffer): Promise<void> {
    if (data.length === 0 || this.destroyed || this.readableEnded) return;
    if (!this.push(data)) await this.#appetite.next();
  }

  receiveEnd(): void {
    if (!this.destroyed) this.push(null);
  }

  /** Whether the peer has ended the stream in both directions. */
  get wasReset(): boolean {
    return this.#wasReset;
  }

  receiveReset(): void {
    this.#wasReset = true;
    this.destroy(new Error("the peer reset the stream"));
  }

  override _read(): void {
    this.#appetite.tell();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (failure?: Error | null) => void): void {
    this.#sender.data(this.id, chunk, false, done);
  }

  override _final(done: (failure?: Error | null) => void): void {
    this.#sender.data(this.id, Buffer.alloc(0), true, done);
  }

  override _destroy(failure: Error | null, done: (failure?: Error | null) => void): void {
    if (failure !== null || !this.writableFinished) this.#sender.reset(this.id);
    this.#sender.forget(this.id);
    this.#appetite.tell();
    done(failure);
  }
}
