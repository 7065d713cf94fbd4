// The shim of one pod as berthd sees it. Shapes and units: proto/berth/native/shim.proto.
import { AgentError, wrap } from "../base/errors.ts";
import { failpoint } from "../base/failpoint.ts";
import {
  ShimRequest,
  ShimResponse,
  ShimStream,
  type ShimCheckpoint,
  type ShimContainer,
  type ShimCreateContainer,
  type ShimCreateContainerResult,
  type ShimExec,
  type ShimHelloResult,
  type ShimStartContainer,
  type ShimStartContainerResult,
} from "../generated/berth/native/shim.ts";
import { type Codec, Connection } from "./connection.ts";
import { explainUnknownCall, PROTOCOL_VERSION, requireFeature, requireProtocol, type ShimFeature } from "./protocol.ts";
import { resultOf } from "./result.ts";

const CALL_TIMEOUT_MS = 60_000;
// A start and a deletion make calls of the OCI runtime one after the other. The shim keeps the time of each, at most 180 s.
const RUNTIME_CALLS_TIMEOUT_MS = 600_000;

type Call = NonNullable<ShimRequest["call"]>;
type Result = NonNullable<ShimResponse["result"]>;

export interface ExecOutcome {
  readonly exitCode: number;
  readonly timedOut: boolean;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

export class ShimClient {
  /** Resolves when the shim has ended or closed the connection. */
  readonly closed: Promise<void>;
  readonly #connection: Connection<Call, ShimResponse>;
  readonly #name: string;
  #version = "";
  #revision = 0;

  private constructor(connection: Connection<Call, ShimResponse>, name: string) {
    this.#connection = connection;
    this.#name = name;
    this.closed = connection.closed;
  }

  /**
   * Connects, and hears who it is.
   *
   * @param name of the pod, for messages
   * @param onChange called for every container that is started, exits, or has to wait for its log, from now on; `hello` tells of earlier ones
   * @throws AgentError failed-precondition when it speaks another protocol
   */
  static async open(socketPath: string, name: string, onChange: (container: ShimContainer) => void): Promise<ShimClient> {
    const codec: Codec<Call, ShimResponse> = {
      peer: `shim of pod ${name}`,
      encode: (id, call) => ShimRequest.encode({ id, call }).finish(),
      decode: (bytes) => ShimResponse.decode(bytes),
    };
    const connection = await Connection.open(socketPath, codec, (event) => {
      const { result } = event;
      if (result?.$case === "containerExited" || result?.$case === "containerStarted" || result?.$case === "logChanged")
        onChange(result.value);
    });
    const client = new ShimClient(connection, name);
    try {
      const { protocolVersion, version, revision } = await client.hello();
      requireProtocol(codec.peer, protocolVersion, "the pod was started by another Berth; install that again, or remove the pod");
      [client.#version, client.#revision] = [version, revision];
      return client;
    } catch (failure) {
      client.close();
      throw failure;
    }
  }

  /** Of its build; "" of builds that do not say. */
  get version(): string {
    return this.#version;
  }

  get isOpen(): boolean {
    return this.#connection.isOpen;
  }

  hello(timeoutMs = CALL_TIMEOUT_MS): Promise<ShimHelloResult> {
    return this.#call({ $case: "hello", value: { protocolVersion: PROTOCOL_VERSION } }, (result) => resultOf(result, "hello"), timeoutMs);
  }

  /** @throws AgentError failed-precondition when the shim is of a build that does not have it */
  require(feature: ShimFeature): void {
    requireFeature(this.#revision, feature);
  }

  async createContainer(value: ShimCreateContainer): Promise<ShimCreateContainerResult> {
    if (value.volumes.length > 0) this.require("volumes of its own");
    return await this.#call({ $case: "createContainer", value }, (result) => resultOf(result, "createContainer"));
  }

  /** The PID 1 of the namespace that containers of the pod may share, by its number on the node; made by the first call. */
  async ensurePodPid(): Promise<number> {
    const { pid } = await this.#call({ $case: "ensurePodPid", value: {} }, (result) => resultOf(result, "ensurePodPid"));
    return pid;
  }

  async startContainer(value: ShimStartContainer): Promise<ShimStartContainerResult> {
    if (value.stdio?.tty === true || value.stdio?.stdin === true) this.require("streams of a process");
    if (value.runtimeArgs.length > 0) this.require("arguments of a runtime handler");
    return await this.#call({ $case: "startContainer", value }, (result) => resultOf(result, "startContainer"), RUNTIME_CALLS_TIMEOUT_MS);
  }

  /** @throws AgentError not-found when the process has ended */
  async signal(containerId: string, signal: number): Promise<void> {
    await this.#call({ $case: "signal", value: { containerId, signal } }, (result) => resultOf(result, "done"));
  }

  async deleteContainer(containerId: string): Promise<void> {
    await this.#call({ $case: "deleteContainer", value: { containerId } }, (result) => resultOf(result, "done"), RUNTIME_CALLS_TIMEOUT_MS);
  }

  async reopenLog(containerId: string): Promise<void> {
    await this.#call({ $case: "reopenLog", value: { containerId } }, (result) => resultOf(result, "done"));
  }

  async shutdown(): Promise<void> {
    await this.#call({ $case: "shutdown", value: {} }, (result) => resultOf(result, "done"));
  }

  /**
   * Runs a process to its end; each stream holds at most `maxBytesPerStream` bytes.
   *
   * @param signal ends the process and all it has started. A shim of an older build lets it go on.
   * @throws AgentError cancelled when it was
   */
  async exec(value: ShimExec, signal?: AbortSignal): Promise<ExecOutcome> {
    let cancel = (): void => {};
    const output: Record<"stdout" | "stderr", Uint8Array[]> = { stdout: [], stderr: [] };
    try {
      signal?.throwIfAborted();
      const take = ({ result }: ShimResponse) => {
        if (result?.$case === "execExit") return result.value;
        if (result?.$case === "execOutput") {
          output[result.value.stream === ShimStream.SHIM_STREAM_STDERR ? "stderr" : "stdout"].push(result.value.data);
          return undefined;
        }
        throw new AgentError("internal", `the answer is ${result?.$case ?? "empty"}, not execOutput or execExit`);
      };
      // The shim keeps the time of the process itself; no second deadline here.
      const exit = await this.#connection.stream({ $case: "exec", value }, 0, take, (exec) => {
        // That it was heard is told by the end of the exec.
        cancel = () => void this.#connection.call({ $case: "cancelExec", value: { exec } }, CALL_TIMEOUT_MS).catch(() => {});
        signal?.addEventListener("abort", cancel, { once: true });
        failpoint("sent shim exec");
      });
      return { ...exit, stdout: Buffer.concat(output.stdout), stderr: Buffer.concat(output.stderr) };
    } catch (failure) {
      throw wrap(failure, `shim exec in pod ${this.#name}`);
    } finally {
      signal?.removeEventListener("abort", cancel);
    }
  }

  /**
   * Writes the processes of a container down, and leaves it frozen.
   *
   * @param signal kills what is at work for it
   * @returns lets the container go on; rejects with not-found when it has gone on already
   */
  async checkpoint(value: ShimCheckpoint, signal: AbortSignal): Promise<() => Promise<void>> {
    let end = (): Promise<void> => Promise.resolve();
    const cancel = (): void => void end().catch(() => {});
    try {
      signal.throwIfAborted();
      const take = ({ result }: ShimResponse) => resultOf(result, "done");
      // The shim keeps the time of the OCI runtime.
      await this.#connection.stream({ $case: "checkpoint", value }, 0, take, (checkpoint) => {
        end = async () => {
          await this.#call({ $case: "endCheckpoint", value: { checkpoint } }, (result) => resultOf(result, "done"));
        };
        signal.addEventListener("abort", cancel, { once: true });
      });
      return end;
    } catch (failure) {
      throw wrap(explainUnknownCall(failure), `shim checkpoint in pod ${this.#name}`);
    } finally {
      signal.removeEventListener("abort", cancel);
    }
  }

  close(): void {
    this.#connection.close();
  }

  async #call<T>(call: Call, take: (result: Result | undefined) => T, timeoutMs = CALL_TIMEOUT_MS): Promise<T> {
    try {
      const answer = this.#connection.call(call, timeoutMs);
      failpoint(`sent shim ${call.$case}`);
      const { result } = await answer;
      failpoint(`answered shim ${call.$case}`);
      return take(result);
    } catch (failure) {
      throw wrap(explainUnknownCall(failure), `shim ${call.$case} in pod ${this.#name}`);
    }
  }
}
