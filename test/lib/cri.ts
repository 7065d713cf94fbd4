// A client of the CRI that knows nothing of our code: it reads the same .proto files by itself. int64 are decimal strings here.
import { fileURLToPath } from "node:url";
import {
  type Client,
  type ClientReadableStream,
  credentials,
  loadPackageDefinition,
  type ServiceClientConstructor,
  type ServiceError,
} from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { PATIENCE } from "./patience.ts";

const PROTO = fileURLToPath(new URL("../../proto", import.meta.url));
const LOCAL_MAX_BYTES = 40 * 1024 * 1024;

export type Message = Readonly<Record<string, unknown>>;

export const criDefinition = loadSync("cri/runtime/v1/api.proto", {
  includeDirs: [PROTO],
  keepCase: true,
  longs: String,
  enums: String,
  defaults: true,
  oneofs: true,
});

interface Services {
  readonly runtime: { readonly v1: { readonly RuntimeService: ServiceClientConstructor; readonly ImageService: ServiceClientConstructor } };
}

type Method = (request: Message, options: { deadline: number }, done: (failure: ServiceError | null, answer: Message) => void) => void;

type CancellableMethod = (request: Message, done: (failure: ServiceError | null, answer: Message) => void) => { cancel(): void };

type StreamMethod = (request: Message) => ClientReadableStream<Message>;

export class Cri {
  readonly #clients: readonly Client[];

  constructor(socketPath: string) {
    const { RuntimeService, ImageService } = (loadPackageDefinition(criDefinition) as unknown as Services).runtime.v1;
    const options = {
      "grpc.max_receive_message_length": LOCAL_MAX_BYTES,
      // berthd is back in a moment, where a test takes it away.
      "grpc.initial_reconnect_backoff_ms": 50,
      "grpc.max_reconnect_backoff_ms": 100,
    };
    this.#clients = [RuntimeService, ImageService].map(
      (Service) => new Service(`unix:${socketPath}`, credentials.createInsecure(), options),
    );
  }

  /** @param name "RunPodSandbox" @throws ServiceError */
  call<Answer>(name: string, request: Message, timeoutMs = 30_000 * PATIENCE): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const client = this.#clients.find((each) => name in each);
      if (client === undefined) throw new Error(`the CRI has no call ${name}`);
      const method = (client as unknown as Record<string, Method>)[name];
      method?.call(client, request, { deadline: Date.now() + timeoutMs }, (failure, answer) => {
        if (failure === null) resolve(answer as Answer);
        else reject(failure);
      });
    });
  }

  /** A call that its caller may walk away from. @param name "ExecSync" */
  cancellable(name: string, request: Message): { readonly answer: Promise<Message>; cancel(): void } {
    const client = this.#clients.find((each) => name in each) as unknown as Record<string, CancellableMethod>;
    let cancel = (): void => {};
    const answer = new Promise<Message>((resolve, reject) => {
      const call = client[name]?.call(client, request, (failure, answer) => (failure === null ? resolve(answer) : reject(failure)));
      cancel = () => call?.cancel();
    });
    return { answer, cancel };
  }

  /** A call that answers again and again. `ready` resolves when the node has begun to answer, `ended` when it has said all. */
  stream(
    name: string,
    request: Message,
    take: (answer: Message) => void,
  ): { readonly ready: Promise<void>; readonly ended: Promise<void>; end(): void; pause(): void; resume(): void } {
    const client = this.#clients.find((each) => name in each) as unknown as Record<string, StreamMethod>;
    const call = client[name]?.call(client, request);
    if (call === undefined) throw new Error(`the CRI has no call ${name}`);
    call.on("data", take);
    // Its end is no news to who ends it.
    call.on("error", () => {});
    const ready = new Promise<void>((resolve) => call.once("metadata", () => resolve()));
    const ended = new Promise<void>((resolve, reject) => {
      call.once("end", resolve);
      call.once("error", reject);
    });
    // Only who waits for it hears of a failure.
    ended.catch(() => {});
    return { ready, ended, end: () => call.cancel(), pause: () => call.pause(), resume: () => call.resume() };
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }
}
