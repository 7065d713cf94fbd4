// The client's side of SPDY/3.1, as kubectl and crictl speak it.
import { once } from "node:events";
import { request } from "node:http";
import type { Duplex } from "node:stream";
import { dataHeader, FrameDecoder, ping, rstStream, synStream } from "../../src/cri/streaming/spdy/frames.ts";
import type { ConnectionMaker } from "./cut-connection.ts";
import { HeaderReader, HeaderWriter } from "../../src/cri/streaming/spdy/header-block.ts";

export interface Refusal {
  readonly status: number;
  readonly body: string;
}

interface Upgraded {
  readonly socket: Duplex;
  readonly protocol: string;
}

/** @returns the answer of a server that does not upgrade */
export async function upgradeToSpdy(url: string, protocols: readonly string[], by: ConnectionMaker = {}): Promise<Upgraded | Refusal> {
  const headers = {
    connection: "Upgrade",
    upgrade: "SPDY/3.1",
    ...(protocols.length > 0 && { "x-stream-protocol-version": [...protocols] }),
  };
  const asked = request(url, { method: "POST", headers, ...by });
  asked.end();
  return await new Promise((resolve, reject) => {
    asked.once("error", reject);
    asked.once("upgrade", (answer, socket, head) => {
      if (head.length > 0) socket.unshift(head);
      resolve({ socket, protocol: String(answer.headers["x-stream-protocol-version"]) });
    });
    asked.once("response", (answer) => {
      let body = "";
      answer.setEncoding("utf8").on("data", (piece) => (body += piece));
      answer.once("end", () => resolve({ status: answer.statusCode ?? 0, body }));
      answer.once("error", reject);
    });
  });
}

export class SpdyClientStream {
  readonly id: number;
  readonly chunks: Buffer[] = [];
  /** Resolves with what came, when the server has ended or reset the stream. */
  readonly ended: Promise<string>;
  wasReset = false;
  readonly #session: SpdyClient;
  readonly #end: () => void;

  constructor(id: number, session: SpdyClient) {
    this.id = id;
    this.#session = session;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#end = resolve;
    this.ended = promise.then(() => Buffer.concat(this.chunks).toString());
  }

  write(text: string | Buffer): void {
    const data = Buffer.from(text);
    this.#session.socket.write(Buffer.concat([dataHeader(this.id, data.length, false), data]));
  }

  end(): void {
    this.#session.socket.write(dataHeader(this.id, 0, true));
  }

  reset(): void {
    this.#session.socket.write(rstStream(this.id, 5));
  }

  over(wasReset: boolean): void {
    this.wasReset = wasReset;
    this.#end();
  }
}

export class SpdyClient {
  readonly socket: Duplex;
  readonly protocol: string;
  readonly closed: Promise<unknown>;
  readonly pings: number[] = [];
  readonly #streams = new Map<number, SpdyClientStream>();
  readonly #writer = new HeaderWriter();
  readonly #reader = new HeaderReader();
  #nextId = 1;
  #isOver = false;

  private constructor({ socket, protocol }: Upgraded, reads: boolean) {
    this.socket = socket;
    this.protocol = protocol;
    socket.on("error", () => {});
    // A connection may break with the last byte of the answer.
    this.closed = socket.closed ? Promise.resolve() : once(socket, "close");
    // One that breaks is told to who waits for it.
    this.closed.catch(() => {});
    if (reads) void this.read();
  }

  /** @param reads false: nothing that comes is read before `read` */
  static async connect(url: string, protocols: readonly string[], reads = true, by: ConnectionMaker = {}): Promise<SpdyClient> {
    const answer = await upgradeToSpdy(url, protocols, by);
    if ("status" in answer) throw new Error(`not upgraded: ${answer.status} ${answer.body}`);
    return new SpdyClient(answer, reads);
  }

  /** For a connection that was upgraded by other means. */
  static over(socket: Duplex): SpdyClient {
    return new SpdyClient({ socket, protocol: "" }, true);
  }

  async open(headers: Readonly<Record<string, string>>): Promise<SpdyClientStream> {
    const stream = new SpdyClientStream(this.#nextId, this);
    this.#nextId += 2;
    this.#streams.set(stream.id, stream);
    if (this.#isOver) stream.over(false);
    this.socket.write(synStream(stream.id, await this.#writer.write(new Map(Object.entries(headers)))));
    return stream;
  }

  ping(id: number): void {
    this.socket.write(ping(id));
  }

  /** To the end of the connection. */
  async read(): Promise<void> {
    const decoder = new FrameDecoder();
    try {
      for await (const chunk of this.socket) {
        for (const frame of decoder.push(chunk as Buffer)) {
          if (frame.kind === "syn-reply") await this.#reader.read(frame.headerBlock);
          if (frame.kind === "ping") this.pings.push(frame.id);
          if (frame.kind === "data") {
            const stream = this.#streams.get(frame.streamId);
            stream?.chunks.push(Buffer.from(frame.data));
            if (frame.fin) stream?.over(false);
          }
          if (frame.kind === "rst-stream") this.#streams.get(frame.streamId)?.over(true);
        }
      }
    } catch {
      // A connection that breaks ends all streams, as one that ends does.
    }
    this.#isOver = true;
    for (const stream of this.#streams.values()) stream.over(false);
  }
}
