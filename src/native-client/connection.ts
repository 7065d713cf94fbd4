// One connection to a native peer: requests with ids, answers in any order, events with id 0.
import { createConnection, type Socket } from "node:net";
import { AgentError, messageOf } from "../base/errors.ts";
import type { Failure } from "../generated/berth/native/common.ts";
import { asAgentError } from "./failure.ts";
import { encodeFrame, FrameDecoder } from "./frame.ts";

export interface Response {
  readonly id: bigint;
  readonly failure: Failure | undefined;
}

export interface Codec<Request, R extends Response> {
  readonly peer: string; // for messages: "helper", "shim 0a1b2c3d4e5f6"
  encode(id: bigint, request: Request): Uint8Array;
  decode(bytes: Uint8Array): R;
}

interface Call<R> {
  /** Returns true when `response` was the last of this call. */
  readonly take: (response: R) => boolean;
  readonly fail: (failure: Error) => void;
}

export class Connection<Request, R extends Response> {
  readonly closed: Promise<void>;
  readonly #codec: Codec<Request, R>;
  readonly #socket: Socket;
  readonly #calls = new Map<bigint, Call<R>>();
  #nextId = 1n;
  #end: AgentError | undefined;

  private constructor(socket: Socket, codec: Codec<Request, R>, onEvent: (event: R) => void) {
    this.#socket = socket;
    this.#codec = codec;
    const decoder = new FrameDecoder();
    socket.on("data", (chunk: Buffer) => {
      try {
        for (const message of decoder.push(chunk)) this.#take(codec.decode(message), onEvent);
      } catch (failure) {
        socket.destroy(failure instanceof Error ? failure : new Error(messageOf(failure)));
      }
    });
    socket.on("error", (failure) => this.#finish(failure.message));
    this.closed = new Promise((resolve) => {
      socket.on("close", () => {
        this.#finish("the connection ended");
        resolve();
      });
    });
  }

  /** @throws AgentError unavailable when nobody listens on `path` */
  static open<Request, R extends Response>(
    path: string,
    codec: Codec<Request, R>,
    onEvent: (event: R) => void = () => {},
  ): Promise<Connection<Request, R>> {
    return new Promise((resolve, reject) => {
      const socket = createConnection(path);
      const refuse = (failure: Error): void =>
        reject(new AgentError("unavailable", `connect to ${codec.peer} at ${path}: ${failure.message}`));
      socket.once("error", refuse);
      socket.once("connect", () => {
        socket.off("error", refuse);
        resolve(new Connection(socket, codec, onEvent));
      });
    });
  }

  get isOpen(): boolean {
    return this.#end === undefined;
  }

  /** One request, one answer. @param timeoutMs 0 waits for ever */
  call(request: Request, timeoutMs: number): Promise<R> {
    return this.stream(request, timeoutMs, (response) => response);
  }

  /**
   * One request, answers until `take` gives a value other than undefined.
   *
   * @param begun hears the request's id, by which another request may name this one
   */
  stream<T>(request: Request, timeoutMs: number, take: (response: R) => T | undefined, begun: (id: bigint) => void = () => {}): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#end !== undefined) return reject(this.#end);
      const id = this.#nextId++;
      const timer = timeoutMs === 0 ? undefined : setTimeout(() => giveUp(), timeoutMs);
      const done = (): void => {
        clearTimeout(timer);
        this.#calls.delete(id);
      };
      const giveUp = (): void => {
        done();
        reject(new AgentError("deadline-exceeded", `call ${this.#codec.peer}: no answer within ${timeoutMs} ms`));
      };
      this.#calls.set(id, {
        take(response) {
          if (response.failure !== undefined) {
            done();
            reject(asAgentError(response.failure));
            return true;
          }
          const value = take(response);
          if (value === undefined) return false;
          done();
          resolve(value);
          return true;
        },
        fail(failure) {
          done();
          reject(failure);
        },
      });
      this.#socket.write(encodeFrame(this.#codec.encode(id, request)));
      begun(id);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(response: R, onEvent: (event: R) => void): void {
    if (response.id === 0n) onEvent(response);
    // An answer that nobody waits for any more came after its deadline.
    else this.#calls.get(response.id)?.take(response);
  }

  #finish(why: string): void {
    if (this.#end !== undefined) return;
    this.#end = new AgentError("unavailable", `call ${this.#codec.peer}: ${why}`);
    for (const call of [...this.#calls.values()]) call.fail(this.#end);
  }
}
