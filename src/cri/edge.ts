// One wrapper round every call: ready gate, request id, timing, log, error → status.
import { type EventEmitter, once } from "node:events";
import {
  type handleClientStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  Metadata,
  type ServerErrorResponse,
} from "@grpc/grpc-js";
import { AgentError, kindOf, messageOf } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Engine } from "./engine.ts";
import { toStatus } from "./status.ts";

export interface CallContext {
  /** Aborted when the client has gone away or its deadline has passed. */
  readonly signal: AbortSignal;
}

export type Handler<Request, Response> = (engine: Engine, request: Request, context: CallContext) => Promise<Response> | Response;
export type StreamHandler<Request, Response> = (
  engine: Engine,
  requests: AsyncIterable<Request>,
  context: CallContext,
) => Promise<Response>;

export type ServerStreamHandler<Request, Response> = (engine: Engine, request: Request, context: CallContext) => AsyncIterable<Response>;

// Calls that pollers make many times a minute; their successes would drown the log.
const POLLED = new Set([
  "Version",
  "Status",
  "ListPodSandbox",
  "PodSandboxStatus",
  "ListContainers",
  "ContainerStatus",
  "ListContainerStats",
  "ListPodSandboxStats",
  "StreamContainerStats",
  "StreamPodSandboxStats",
  "ListPodSandboxMetrics",
  "StreamPodSandboxMetrics",
  "StreamPodSandboxes",
  "StreamContainers",
  "StreamImages",
  "ImageFsInfo",
  "ListImages",
  "ImageStatus",
]);

export class Edge {
  readonly #log: Log;
  readonly #engine: Promise<Engine>;
  #lastRequestId = 0;
  readonly #ending = new AbortController();
  #inFlight = 0;
  #idle: (() => void) | undefined;

  /** of berthd */
  readonly version: string;

  /** @param engine resolves when recovery is done; calls that come before wait for it */
  constructor(engine: Promise<Engine>, log: Log, version: string) {
    this.#engine = engine;
    this.#log = log;
    this.version = version;
  }

  /** A call that needs nothing of the node, and does not wait for it. */
  early<Request, Response>(name: string, answer: () => Response): handleUnaryCall<Request, Response> {
    return (call, callback) => {
      void this.#run(name, call, () => Promise.resolve(answer())).then(
        (response) => callback(null, response),
        (failure: unknown) => callback(asServerError(failure)),
      );
    };
  }

  unary<Request, Response>(name: string, handler: Handler<Request, Response>): handleUnaryCall<Request, Response> {
    return (call, callback) => {
      void this.#run(name, call, async (context) => await handler(await this.#engine, call.request, context)).then(
        (response) => callback(null, response),
        (failure: unknown) => callback(asServerError(failure)),
      );
    };
  }

  clientStream<Request, Response>(name: string, handler: StreamHandler<Request, Response>): handleClientStreamingCall<Request, Response> {
    return (call, callback) => {
      void this.#run(name, call, async (context) => await handler(await this.#engine, call as AsyncIterable<Request>, context)).then(
        (response) => callback(null, response),
        (failure: unknown) => callback(asServerError(failure)),
      );
    };
  }

  /** A stream that goes on until the client, or the end of berthd, ends it. */
  serverStream<Request, Response>(
    name: string,
    handler: ServerStreamHandler<Request, Response>,
  ): handleServerStreamingCall<Request, Response> {
    return this.#stream(name, handler, [this.#ending.signal]);
  }

  /** A stream with an end of its own, which berthd waits for as for any call: cut short it must not look whole. */
  download<Request, Response>(name: string, handler: ServerStreamHandler<Request, Response>): handleServerStreamingCall<Request, Response> {
    return this.#stream(name, handler, []);
  }

  /** What the client does not read in time waits here, in the handler, and not in memory. */
  #stream<Request, Response>(
    name: string,
    handler: ServerStreamHandler<Request, Response>,
    endings: readonly AbortSignal[],
  ): handleServerStreamingCall<Request, Response> {
    return (call) => {
      const send = async (context: CallContext): Promise<void> => {
        const engine = await this.#engine;
        const signal = AbortSignal.any([context.signal, ...endings]);
        const responses = handler(engine, call.request, { signal })[Symbol.asyncIterator]();
        try {
          let next = responses.next();
          // Tells the client, before anything has happened, that from now on it misses nothing.
          call.sendMetadata(new Metadata());
          for (let { done, value } = await next; done !== true; { done, value } = await next) {
            // Who has gone away reads nothing more, and that is the end of it.
            if (!call.write(value)) await once(call, "drain", { signal }).catch(() => {});
            if (signal.aborted) return;
            next = responses.next();
          }
        } finally {
          // The handler lets go of what it holds, also when it was not asked to its end.
          await responses.return?.();
        }
      };
      void this.#run(name, call, send).then(
        () => call.end(),
        (failure: unknown) => call.emit("error", asServerError(failure)),
      );
    };
  }

  /** Ends streams that would go on for ever. */
  endStreams(): void {
    this.#ending.abort(new AgentError("unavailable", "berthd is stopping"));
  }

  /** Resolves when no call is being worked on. */
  async drained(): Promise<void> {
    if (this.#inFlight === 0) return;
    await new Promise<void>((resolve) => {
      this.#idle = resolve;
    });
  }

  async #run<T>(name: string, call: EventEmitter, work: (context: CallContext) => Promise<T>): Promise<T> {
    const requestId = ++this.#lastRequestId;
    const startedAtMs = performance.now();
    const abort = new AbortController();
    const leave = (): void => abort.abort(new AgentError("cancelled", `${name}: the client went away`));
    call.on("cancelled", leave);
    this.#inFlight++;
    try {
      const response = await work({ signal: abort.signal });
      const fields = { call: name, requestId, ms: elapsed(startedAtMs) };
      if (POLLED.has(name)) this.#log.debug(fields, "call");
      else this.#log.info(fields, "call");
      return response;
    } catch (failure) {
      const fields = { call: name, requestId, ms: elapsed(startedAtMs), kind: kindOf(failure), err: messageOf(failure) };
      // What we did not expect carries its stack.
      if (failure instanceof AgentError) this.#log.warn(fields, "call failed");
      else this.#log.error({ ...fields, stack: failure instanceof Error ? failure.stack : undefined }, "call failed");
      throw failure;
    } finally {
      // It is told of the end of every call, also of one that was answered.
      call.off("cancelled", leave);
      this.#inFlight--;
      if (this.#inFlight === 0) this.#idle?.();
    }
  }
}

const elapsed = (startedAtMs: number): number => Math.round((performance.now() - startedAtMs) * 1000) / 1000;

function asServerError(failure: unknown): ServerErrorResponse {
  return Object.assign(new Error(messageOf(failure)), toStatus(failure));
}
