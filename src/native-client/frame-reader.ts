// A connection to a shim that may carry gigabytes: what comes is read into one buffer, again and again. A new one for each piece is
// garbage as soon as the piece is passed on, and a hundred megabytes of it wait for the collector.
import { createConnection, type Socket } from "node:net";
import { frameLength, HEADER_BYTES } from "./frame.ts";

const READ_BYTES = 64 * 1024;
/** A shim passes on output in messages of 64 KiB; its other ones to a session are small. */
const MAX_MESSAGE_BYTES = READ_BYTES + 1024;

export class FrameReader {
  readonly socket: Socket;
  // A message that is not whole yet, what was read behind it, and room for the next piece.
  readonly #buffer = Buffer.allocUnsafeSlow(HEADER_BYTES + MAX_MESSAGE_BYTES + 2 * READ_BYTES);
  #start = 0;
  #end = 0;
  #hasMore = false;
  #isOver = false;
  #heard: (() => void) | undefined;

  constructor(path: string) {
    this.socket = createConnection({
      path,
      allowHalfOpen: true,
      onread: { buffer: () => this.#buffer.subarray(this.#end, this.#end + READ_BYTES), callback: (bytes) => this.#take(bytes) },
    });
    for (const event of ["end", "error", "close"]) {
      this.socket.on(event, () => {
        this.#isOver = true;
        this.#hear();
      });
    }
  }

  /**
   * The next message; it is overwritten when more is asked for.
   *
   * @returns undefined when nothing more comes
   * @throws AgentError internal for what is no message, and what has broken the connection
   */
  async message(): Promise<Buffer | undefined> {
    for (;;) {
      const unread = this.#buffer.subarray(this.#start, this.#end);
      const length = frameLength(unread, MAX_MESSAGE_BYTES);
      if (length !== undefined && unread.length >= HEADER_BYTES + length) {
        this.#start += HEADER_BYTES + length;
        return unread.subarray(HEADER_BYTES, HEADER_BYTES + length);
      }
      if (!(await this.#more())) return undefined;
    }
  }

  /** What comes when messages are over, as it comes. Each piece is overwritten when the next one is asked for. */
  async *bytes(): AsyncGenerator<Buffer> {
    do {
      const piece = this.#buffer.subarray(this.#start, this.#end);
      this.#start = this.#end;
      if (piece.length > 0) yield piece;
    } while (await this.#more());
  }

  /** False: nothing more comes. */
  async #more(): Promise<boolean> {
    if (!this.#hasMore && !this.#isOver) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#heard = resolve;
      this.socket.resume();
      await promise;
    }
    if (this.socket.errored) throw this.socket.errored;
    const hasMore = this.#hasMore;
    this.#hasMore = false;
    return hasMore;
  }

  /** Nothing is read behind it until more is asked for: who does not take what came holds up who sends. */
  #take(bytes: number): false {
    this.#buffer.copyWithin(0, this.#start, this.#end + bytes);
    this.#end += bytes - this.#start;
    this.#start = 0;
    this.#hasMore = true;
    this.#hear();
    return false;
  }

  #hear(): void {
    this.#heard?.();
    this.#heard = undefined;
  }
}
