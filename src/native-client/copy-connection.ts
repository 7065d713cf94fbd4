// The connection of one copy, which the helper gives to the process that does it: a request, then pieces either way. Neither side
// reads faster than the other takes.
import { once } from "node:events";
import { createConnection, type Socket } from "node:net";
import { drained } from "../base/drained.ts";
import { AgentError, messageOf } from "../base/errors.ts";
import { CopyPiece, HelperRequest } from "../generated/berth/native/helper.ts";
import { asAgentError } from "./failure.ts";
import { encodeFrame, FrameDecoder } from "./frame.ts";

export type CopyCall = Extract<NonNullable<HelperRequest["call"]>, { $case: "copyFrom" | "copyTo" | "packFolder" }>;
export type Piece = NonNullable<CopyPiece["piece"]>;

export class CopyConnection implements Disposable {
  readonly #socket: Socket;
  readonly #pieces: AsyncGenerator<Piece>;
  readonly #signal: AbortSignal;
  readonly #close = (): void => void this.#socket.destroy();

  private constructor(socket: Socket, signal: AbortSignal) {
    this.#socket = socket;
    this.#signal = signal;
    this.#pieces = piecesOf(socket);
    // What is wrong with the connection is told by the next read or write.
    socket.on("error", () => {});
    signal.addEventListener("abort", this.#close, { once: true });
  }

  /** @param signal ends the connection, and with it the copy */
  static async open(path: string, call: CopyCall, signal: AbortSignal): Promise<CopyConnection> {
    signal.throwIfAborted();
    const socket = createConnection(path);
    try {
      await once(socket, "connect", { signal });
    } catch (failure) {
      socket.destroy();
      throw signal.aborted ? failure : new AgentError("unavailable", `connect to helper at ${path}: ${messageOf(failure)}`);
    }
    socket.write(encodeFrame(HelperRequest.encode({ id: 1n, call }).finish()));
    return new CopyConnection(socket, signal);
  }

  /** @throws AgentError as the process says, unavailable when it ended without a word */
  async next(): Promise<Piece> {
    const read = await this.#pieces.next().catch((failure: unknown) => this.#lost(messageOf(failure)));
    if (read.done === true) return this.#lost("the connection ended");
    if (read.value.$case === "failure") throw asAgentError(read.value.value);
    return read.value;
  }

  /** Resolves when there is room for more. */
  async send(piece: Piece): Promise<void> {
    if (this.#socket.destroyed) this.#lost("the connection ended");
    this.#socket.write(encodeFrame(CopyPiece.encode({ piece }).finish()));
    // A connection that ends instead is told by `next`, with the reason.
    await drained(this.#socket);
  }

  [Symbol.dispose](): void {
    this.#signal.removeEventListener("abort", this.#close);
    this.#close();
  }

  #lost(why: string): never {
    this.#signal.throwIfAborted();
    throw new AgentError("unavailable", `copy: ${why}`);
  }
}

async function* piecesOf(socket: Socket): AsyncGenerator<Piece> {
  const decoder = new FrameDecoder();
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    for (const message of decoder.push(chunk)) {
      const { piece } = CopyPiece.decode(message);
      if (piece !== undefined) yield piece;
    }
  }
}
