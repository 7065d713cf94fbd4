// Channels within a WebSocket: the first byte of each message says which one it is of. In the base64 forms it is a digit, and what
// follows is text.
import { Writable } from "node:stream";
import type { WebSocket } from "ws";
import { isBase64 } from "./protocols.ts";

const DIGIT_0 = 0x30;

export class ChannelSocket {
  readonly #socket: WebSocket;
  readonly #base64: boolean;
  /** Messages whose channel has no room yet: one whole piece of the connection is given out before it pauses. */
  #untaken = 0;

  constructor(socket: WebSocket, protocol: string) {
    this.#socket = socket;
    this.#base64 = isBase64(protocol);
  }

  /** @param sent when the connection has taken it */
  send(channel: number, data: Buffer, sent: (failure?: Error | null) => void = () => {}): void {
    if (this.#base64) this.#socket.send(`${String.fromCharCode(DIGIT_0 + channel)}${data.toString("base64")}`, sent);
    else this.#socket.send(Buffer.concat([Buffer.of(channel), data]), { binary: true }, sent);
  }

  /** What is written to it goes out on `channel`; it waits until the connection has taken it. */
  writable(channel: number): Writable {
    const message = new ReusedMessage(channel);
    const stream = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        if (this.#base64) this.send(channel, chunk, done);
        else this.#socket.send(message.of(chunk), { binary: true }, done);
      },
    });
    // The connection's end is told by itself.
    stream.on("error", () => {});
    return stream;
  }

  /** @param take is given each message; nothing more is read until it has resolved */
  onMessage(take: (channel: number, data: Buffer) => Promise<void> | void): void {
    const socket = this.#socket;
    socket.on("message", (raw: Buffer) => {
      if (raw.length === 0) return;
      const first = raw[0] ?? 0;
      const channel = this.#base64 ? first - DIGIT_0 : first;
      const data = this.#base64 ? Buffer.from(raw.toString("latin1", 1), "base64") : raw.subarray(1);
      const taken = take(channel, data);
      if (taken === undefined) return;
      socket.pause();
      this.#untaken++;
      void taken.finally(() => {
        if (--this.#untaken === 0) socket.resume();
      });
    });
  }

  close(): void {
    this.#socket.close(1000);
  }
}

/** One chunk after the other behind the channel's byte, in the same memory: each is sent when the next one comes. */
class ReusedMessage {
  #buffer: Buffer;

  constructor(channel: number) {
    this.#buffer = Buffer.of(channel);
  }

  of(chunk: Buffer): Buffer {
    const length = 1 + chunk.length;
    if (this.#buffer.length < length) this.#buffer = Buffer.concat([this.#buffer.subarray(0, 1)], length);
    chunk.copy(this.#buffer, 1);
    return this.#buffer.subarray(0, length);
  }
}
