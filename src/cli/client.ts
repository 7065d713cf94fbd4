// The one connection to berthd: unary calls as promises, and streams either way with back-pressure.
import { resolve } from "node:path";
import { Readable, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Client, type ClientReadableStream, credentials, type ServiceError } from "@grpc/grpc-js";
import { AgentError } from "../base/errors.ts";

interface Method<Request, Response> {
  readonly path: string;
  readonly requestSerialize: (request: Request) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => Response;
}

/** A call of a generated service, `RuntimeServiceService.version`. */
export interface UnaryMethod<Request, Response> extends Method<Request, Response> {
  readonly requestStream: false;
  readonly responseStream: false;
}

export interface UploadMethod<Request, Response> extends Method<Request, Response> {
  readonly requestStream: true;
  readonly responseStream: false;
}

export interface DownloadMethod<Request, Response> extends Method<Request, Response> {
  readonly requestStream: false;
  readonly responseStream: true;
}

const OPTIONS = {
  // What a command printed may be many megabytes, and berthd has its own bound for it.
  "grpc.max_receive_message_length": -1,
  "grpc.enable_http_proxy": 0,
};

export class NodeClient {
  readonly #client: Client;

  constructor(socket: string) {
    this.#client = new Client(`unix:${resolve(socket)}`, credentials.createInsecure(), OPTIONS);
  }

  /** @param signal gives the call up; the node is told */
  ask<Request, Response>(method: UnaryMethod<Request, Response>, request: Request, signal?: AbortSignal): Promise<Response> {
    return new Promise<Response>((resolve, reject) => {
      signal?.throwIfAborted();
      const { path, requestSerialize, responseDeserialize } = method;
      const call = this.#client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, (error, response) => {
        signal?.removeEventListener("abort", giveUp);
        settle(path, error, response, resolve, reject);
      });
      const giveUp = (): void => call.cancel();
      signal?.addEventListener("abort", giveUp, { once: true });
    });
  }

  /** Sends one request after the other, no faster than they are taken. A failure of `requests` is the failure of the call. */
  async upload<Request, Response>(method: UploadMethod<Request, Response>, requests: AsyncIterable<Request>): Promise<Response> {
    const { promise: answer, resolve, reject } = Promise.withResolvers<Response>();
    const { path, requestSerialize, responseDeserialize } = method;
    const call = this.#client.makeClientStreamRequest(path, requestSerialize, responseDeserialize, (error, response) => {
      settle(path, error, response, resolve, reject);
    });
    const answered = new AbortController();
    answer.then(
      () => answered.abort(),
      () => answered.abort(),
    );
    try {
      // Without the signal a node that refuses half way would leave us waiting for it to take more.
      await pipeline(Readable.from(requests), call as Writable, { signal: answered.signal });
    } catch (failure) {
      if (!answered.signal.aborted) {
        call.cancel();
        throw failure;
      }
    }
    return await answer;
  }

  /**
   * Hears one answer after the other until the node ends; the next one is read when `take` is done with the last.
   *
   * @param signal gives the call up, which is an end and no failure
   */
  async listen<Request, Response>(
    method: DownloadMethod<Request, Response>,
    request: Request,
    take: (response: Response) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    if (signal.aborted) return;
    const { path, requestSerialize, responseDeserialize } = method;
    const call = this.#client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request);
    const giveUp = (): void => call.cancel();
    signal.addEventListener("abort", giveUp, { once: true });
    try {
      await taken(call, take, signal);
    } finally {
      signal.removeEventListener("abort", giveUp);
      call.cancel();
    }
  }

  /** The answers as they are read; who stops reading gives the call up. */
  async *read<Request, Response>(method: DownloadMethod<Request, Response>, request: Request): AsyncGenerator<Response> {
    const { path, requestSerialize, responseDeserialize } = method;
    const call = this.#client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request);
    try {
      yield* call as AsyncIterable<Response>;
    } finally {
      call.cancel();
    }
  }

  close(): void {
    this.#client.close();
  }
}

function taken<Response>(
  call: ClientReadableStream<Response>,
  take: (response: Response) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let failure: unknown;
    call.on("data", (response: Response) => {
      call.pause();
      take(response).then(() => void call.resume(), reject);
    });
    // What came before the failure is in the stream still, and is taken before it is told.
    call.on("error", (error: unknown) => {
      failure = error;
      if (signal.aborted) resolve();
    });
    call.on("end", () => (failure === undefined ? resolve() : reject(failure)));
  });
}

function settle<Response>(
  path: string,
  error: ServiceError | null,
  response: Response | undefined,
  resolve: (response: Response) => void,
  reject: (failure: unknown) => void,
): void {
  if (error !== null) reject(error);
  else if (response === undefined) reject(new AgentError("internal", `call ${path}: the answer is empty`));
  else resolve(response);
}
