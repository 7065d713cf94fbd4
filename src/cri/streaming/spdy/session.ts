// The server's side of a SPDY/3.1 connection: the peer opens streams, and both use them. There are no windows: TCP holds up who
// sends too much, all streams of the connection together.
import type { Duplex } from "node:stream";
import { drained } from "../../../base/drained.ts";
import { AgentError } from "../../../base/errors.ts";
import { dataHeader, type Frame, FrameDecoder, goAway, ping, RESET, rstStream, synReply } from "./frames.ts";
import { HeaderReader, HeaderWriter } from "./header-block.ts";
import { SpdyStream, type StreamSender } from "./stream.ts";

// A forwarded connection takes two.
const MAX_STREAMS = 2048;
// A peer that was told everything closes its side within a moment.
const LINGER_MS = 30_000;

export class SpdySession {
  readonly #transport: Duplex;
  readonly #onStream: (stream: SpdyStream) => void;
  readonly #streams = new Map<number, SpdyStream>();
  readonly #headersIn = new HeaderReader();
  readonly #headersOut = new HeaderWriter();
  #lastStreamId = 0;

  /** @param onStream called when the peer has opened a stream, which was answered already */
  constructor(transport: Duplex, onStream: (stream: SpdyStream) => void) {
    this.#transport = transport;
    this.#onStream = onStream;
    // Also while a stream that nobody reads holds up `run`.
    transport.once("close", () => this.#endStreams());
  }

  /** Serves the connection to its end; all its streams are over then. @throws AgentError invalid-argument for a peer that breaks the rules */
  async run(): Promise<void> {
    const decoder = new FrameDecoder();
    try {
      for await (const chunk of this.#transport) {
        for (const frame of decoder.push(chunk as Buffer)) await this.#handle(frame);
      }
    } finally {
      this.#endStreams();
      this.#headersIn.close();
      this.#headersOut.close();
      this.#transport.destroy();
    }
  }

  /** Sends what is waiting, and ends the connection. */
  close(): void {
    if (!this.#transport.writable) return;
    this.#transport.end(goAway(this.#lastStreamId), () => {
      if (this.#transport.destroyed) return;
      const late = setTimeout(() => this.#transport.destroy(), LINGER_MS);
      this.#transport.once("close", () => clearTimeout(late));
    });
  }

  #endStreams(): void {
    for (const stream of [...this.#streams.values()]) stream.destroy(new Error("the connection ended"));
  }

  async #handle(frame: Frame): Promise<void> {
    switch (frame.kind) {
      case "syn-stream":
        await this.#open(frame.streamId, frame.fin, frame.headerBlock);
        return;
      case "syn-reply":
      case "headers":
        // Nobody wants them, but the compression of later ones goes on from here.
        await this.#headersIn.read(frame.headerBlock);
        return;
      case "data": {
        const stream = this.#streams.get(frame.streamId);
        // A stream that we have closed may still have had something under way.
        await stream?.receive(frame.data);
        if (frame.fin) stream?.receiveEnd();
        return;
      }
      case "rst-stream":
        return void this.#streams.get(frame.streamId)?.receiveReset();
      case "ping":
        this.#send(ping(frame.id));
        return await drained(this.#transport);
      case "go-away":
        return;
    }
  }

  async #open(streamId: number, fin: boolean, headerBlock: Buffer): Promise<void> {
    const headers = await this.#headersIn.read(headerBlock);
    if (streamId % 2 === 0 || streamId <= this.#lastStreamId)
      throw new AgentError("invalid-argument", `open SPDY stream ${streamId}: the last one was ${this.#lastStreamId}`);
    this.#lastStreamId = streamId;
    if (this.#streams.size >= MAX_STREAMS) return this.#send(rstStream(streamId, RESET.refusedStream));
    const stream = new SpdyStream(streamId, headers, this.#sender);
    this.#streams.set(streamId, stream);
    this.#send(synReply(streamId, await this.#headersOut.write(new Map())));
    if (fin) stream.receiveEnd();
    this.#onStream(stream);
    // A peer that asks and does not read the answers is not read either.
    await drained(this.#transport);
  }

  readonly #sender: StreamSender = {
    data: (streamId, data, fin, sent) => {
      if (!this.#transport.writable) return sent(new Error("the connection ended"));
      this.#transport.cork();
      this.#transport.write(dataHeader(streamId, data.length, fin), data.length === 0 ? sent : undefined);
      if (data.length > 0) this.#transport.write(data, sent);
      this.#transport.uncork();
    },
    reset: (streamId) => this.#send(rstStream(streamId, RESET.cancel)),
    forget: (streamId) => this.#streams.delete(streamId),
  };

  #send(frame: Buffer): void {
    if (this.#transport.writable) this.#transport.write(frame);
  }
}
