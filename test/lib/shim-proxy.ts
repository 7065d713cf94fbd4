// Stands before a real shim's socket, and makes of it the shim of another build: what it says of itself is changed on its way, and calls
// that it is to know nothing of come to it as a call from the future would.
import { once } from "node:events";
import { existsSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { ShimRequest, ShimResponse, type ShimHelloResult } from "../../src/generated/berth/native/shim.ts";
import { encodeFrame, FrameDecoder } from "../../src/native-client/frame.ts";

export interface OtherBuild {
  readonly says: Partial<ShimHelloResult>;
  readonly knowsNot?: readonly NonNullable<ShimRequest["call"]>["$case"][];
}

export class ShimProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #path: string;
  readonly #real: string;

  private constructor(server: Server, path: string, real: string) {
    this.#server = server;
    this.#path = path;
    this.#real = real;
  }

  /** While no berthd is there. @param state the node's */
  static async before(state: string, podId: string, { says, knowsNot = [] }: OtherBuild): Promise<ShimProxy> {
    const path = join(state, "s", podId.slice(0, 24));
    // Beside it an audit would take it away.
    const real = join(state, "pods", podId, "real");
    await rename(path, real);
    const server = createServer().listen(path);
    await once(server, "listening");
    const proxy = new ShimProxy(server, path, real);
    server.on("connection", (client: Socket) => {
      const shim = createConnection(real);
      proxy.#pass(client, shim, (frame) => {
        const { id, call } = ShimRequest.decode(frame);
        return ShimRequest.encode({ id, call: call !== undefined && knowsNot.includes(call.$case) ? undefined : call }).finish();
      });
      proxy.#pass(shim, client, (frame) => {
        const response = ShimResponse.decode(frame);
        if (response.result?.$case !== "hello") return frame;
        const value = { ...response.result.value, ...says };
        return ShimResponse.encode({ ...response, result: { $case: "hello", value } }).finish();
      });
    });
    return proxy;
  }

  /** The shim is itself again, if it is still there. */
  async end(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
    await rm(this.#path, { force: true });
    if (existsSync(this.#real)) await rename(this.#real, this.#path);
  }

  #pass(from: Socket, to: Socket, change: (frame: Buffer) => Uint8Array): void {
    const decoder = new FrameDecoder();
    this.#sockets.add(from);
    from.on("data", (chunk: Buffer) => {
      for (const frame of decoder.push(chunk)) to.write(encodeFrame(change(frame)));
    });
    from.on("error", () => {});
    from.on("close", () => to.destroy());
  }
}
