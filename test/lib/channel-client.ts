// A WebSocket with channels, as kubectl speaks it.
import { once } from "node:events";
import { WebSocket } from "ws";
import type { ConnectionMaker } from "./cut-connection.ts";

export class ChannelClient {
  readonly socket: WebSocket;
  readonly closed: Promise<number>;
  /** by channel, what came on it */
  readonly #received = new Map<number, Buffer[]>();
  readonly #base64: boolean;

  private constructor(socket: WebSocket, protocols: readonly string[]) {
    this.socket = socket;
    this.#base64 = protocols.some((each) => each.includes("base64"));
    this.closed = new Promise((resolve) => socket.once("close", resolve));
    socket.on("message", (raw: Buffer) => {
      const channel = this.#base64 ? Number(raw.toString("latin1", 0, 1)) : (raw[0] ?? 0);
      const data = this.#base64 ? Buffer.from(raw.toString("latin1", 1), "base64") : raw.subarray(1);
      this.#received.set(channel, [...(this.#received.get(channel) ?? []), data]);
    });
  }

  /** @throws with the status of a server that refuses */
  static async connect(url: string, protocols: readonly string[], by: ConnectionMaker = {}): Promise<ChannelClient> {
    const socket = new WebSocket(url.replace(/^http/, "ws"), [...protocols], by as object);
    const client = new ChannelClient(socket, protocols);
    await once(socket, "open");
    return client;
  }

  send(channel: number, data: string | Buffer): void {
    const bytes = Buffer.from(data);
    if (this.#base64) this.socket.send(`${channel}${bytes.toString("base64")}`);
    else this.socket.send(Buffer.concat([Buffer.of(channel), bytes]));
  }

  received(channel: number): string {
    return Buffer.concat(this.#received.get(channel) ?? []).toString();
  }
}
