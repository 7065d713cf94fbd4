// The helper as berthd sees it: one typed function a call. Shapes and units: proto/berth/native/helper.proto.
import { withBackoff } from "../base/backoff.ts";
import { AgentError, kindOf, wrap } from "../base/errors.ts";
import { failpoint } from "../base/failpoint.ts";
import {
  HelperRequest,
  HelperResponse,
  type CheckNetwork,
  type CheckNetworkResult,
  type CheckPath,
  type DetachEndpoint,
  type EnsureNetwork,
  type EnsureNetworkResult,
  type GetUsage,
  type HelperHelloResult,
  type KillCgroup,
  type KillProcess,
  type ListObjects,
  type ListObjectsResult,
  type PackFolder,
  type ReleaseMount,
  type RemoveCgroup,
  type RemoveNetwork,
  type StartSandbox,
  type StartSandboxResult,
  type UnpackLayer,
  type UnpackLayerResult,
  type UpdateCgroup,
  type UsageResult,
} from "../generated/berth/native/helper.ts";
import { type Codec, Connection } from "./connection.ts";
import { type CopyCall, CopyConnection } from "./copy-connection.ts";
import { PROTOCOL_VERSION } from "./protocol.ts";
import { resultOf } from "./result.ts";

// Kernel work is milliseconds; a call that takes this long is stuck, and its caller must hear of it.
const CALL_TIMEOUT_MS = 60_000;

// A helper that ended is started again within moments. Every call may be repeated; two may not as they are: a pod that was half
// made, or a layer half unpacked, is first taken away by who asked.
const RESTART_BACKOFF = { firstMs: 20, mostMs: 500, giveUpMs: 10_000 };
const NOT_REPEATED: readonly Call["$case"][] = ["hello", "startSandbox", "unpackLayer", "expectMoves", "shutdown"];

type Call = Exclude<NonNullable<HelperRequest["call"]>, CopyCall>;
type Result = NonNullable<HelperResponse["result"]>;

const codec: Codec<Call, HelperResponse> = {
  peer: "helper",
  encode: (id, call) => HelperRequest.encode({ id, call }).finish(),
  decode: (bytes) => HelperResponse.decode(bytes),
};

/** What the engine asks of the helper; tests may bring their own. */
export interface Helper {
  hello(): Promise<HelperHelloResult>;
  ensureNetwork(request: EnsureNetwork): Promise<EnsureNetworkResult>;
  checkNetwork(request: CheckNetwork): Promise<CheckNetworkResult>;
  removeNetwork(request: RemoveNetwork): Promise<void>;
  startSandbox(request: StartSandbox): Promise<StartSandboxResult>;
  detachEndpoint(request: DetachEndpoint): Promise<void>;
  updateCgroup(request: UpdateCgroup): Promise<void>;
  killCgroup(request: KillCgroup): Promise<void>;
  removeCgroup(request: RemoveCgroup): Promise<void>;
  getUsage(request: GetUsage): Promise<UsageResult>;
  unpackLayer(request: UnpackLayer): Promise<UnpackLayerResult>;
  removeTree(path: string): Promise<void>;
  killProcess(request: KillProcess): Promise<void>;
  /** May never be answered. @throws AgentError not-found, failed-precondition when its mount has not the propagation */
  checkPath(request: CheckPath): Promise<void>;
  listObjects(request: ListObjects): Promise<ListObjectsResult>;
  releaseMount(request: ReleaseMount): Promise<void>;
  /** Ahead of a call of an OCI runtime that moves a process to a cgroup; nobody has to wait for it, or to heed its failure. */
  expectMoves(): void;
  shutdown(): Promise<void>;
  /** A connection of its own for one copy. @param signal ends the copy */
  openCopy(call: CopyCall, signal: AbortSignal): Promise<CopyConnection>;
  /** @param signal ends it, and nothing is left of the file */
  packFolder(request: PackFolder, signal: AbortSignal): Promise<void>;
  /** Calls that have no answer yet. */
  readonly callsInFlight: number;
}

/** Connects on first use, and again after the helper has ended and come back. */
export class HelperClient implements Helper {
  readonly #path: string;
  readonly #onLost: () => void;
  #closed = false;
  #callsInFlight = 0;
  #connection: Connection<Call, HelperResponse> | undefined;
  #opening: Promise<Connection<Call, HelperResponse>> | undefined;

  /** @param onLost called when a connection ends that nobody here has closed: the helper has ended */
  constructor(socketPath: string, onLost: () => void = () => {}) {
    this.#path = socketPath;
    this.#onLost = onLost;
  }

  hello = () => this.#call({ $case: "hello", value: { protocolVersion: PROTOCOL_VERSION } }, (result) => resultOf(result, "hello"));
  startSandbox = (value: StartSandbox) => this.#call({ $case: "startSandbox", value }, (result) => resultOf(result, "startSandbox"));
  ensureNetwork = (value: EnsureNetwork) => this.#call({ $case: "ensureNetwork", value }, (result) => resultOf(result, "ensureNetwork"));
  checkNetwork = (value: CheckNetwork) => this.#call({ $case: "checkNetwork", value }, (result) => resultOf(result, "checkNetwork"));
  removeNetwork = (value: RemoveNetwork) => this.#done({ $case: "removeNetwork", value });
  detachEndpoint = (value: DetachEndpoint) => this.#done({ $case: "detachEndpoint", value });
  updateCgroup = (value: UpdateCgroup) => this.#done({ $case: "updateCgroup", value });
  killCgroup = (value: KillCgroup) => this.#done({ $case: "killCgroup", value });
  removeCgroup = (value: RemoveCgroup) => this.#done({ $case: "removeCgroup", value });
  killProcess = (value: KillProcess) => this.#done({ $case: "killProcess", value });
  checkPath = (value: CheckPath) => this.#done({ $case: "checkPath", value }, 0);
  expectMoves = () => void this.#done({ $case: "expectMoves", value: {} }).catch(() => {});
  shutdown = () => this.#done({ $case: "shutdown", value: {} });
  listObjects = (value: ListObjects) => this.#call({ $case: "listObjects", value }, (result) => resultOf(result, "listObjects"));
  releaseMount = (value: ReleaseMount) => this.#done({ $case: "releaseMount", value });
  // Time depends on the size of what is unpacked or removed; the helper bounds both.
  removeTree = (path: string) => this.#done({ $case: "removeTree", value: { path } }, 0);
  unpackLayer = (value: UnpackLayer) => this.#call({ $case: "unpackLayer", value }, (result) => resultOf(result, "unpackLayer"), 0);
  openCopy = (call: CopyCall, signal: AbortSignal) => CopyConnection.open(this.#path, call, signal);
  packFolder = async (value: PackFolder, signal: AbortSignal) => {
    using connection = await this.openCopy({ $case: "packFolder", value }, signal);
    const piece = await connection.next();
    if (piece.$case !== "done") throw new AgentError("internal", `pack ${value.folder}: the answer is ${piece.$case}`);
  };
  getUsage = (value: GetUsage) => this.#call({ $case: "getUsage", value }, (result) => resultOf(result, "usage"));

  get callsInFlight(): number {
    return this.#callsInFlight;
  }

  close(): void {
    this.#closed = true;
    this.#connection?.close();
  }

  async #done(call: Call, timeoutMs = CALL_TIMEOUT_MS): Promise<void> {
    await this.#call(call, (result) => resultOf(result, "done"), timeoutMs);
  }

  async #call<T>(call: Call, take: (result: Result | undefined) => T, timeoutMs = CALL_TIMEOUT_MS): Promise<T> {
    const again = (failure: unknown): boolean => kindOf(failure) === "unavailable" && !this.#closed && !NOT_REPEATED.includes(call.$case);
    this.#callsInFlight++;
    try {
      return await withBackoff(RESTART_BACKOFF, again, async () => {
        const connection = await this.#connect();
        const answer = connection.call(call, timeoutMs);
        failpoint(`sent helper ${call.$case}`);
        const { result } = await answer;
        failpoint(`answered helper ${call.$case}`);
        return take(result);
      });
    } catch (failure) {
      throw wrap(failure, `helper ${call.$case}`);
    } finally {
      this.#callsInFlight--;
    }
  }

  /** Calls that find no connection share the next one. */
  async #connect(): Promise<Connection<Call, HelperResponse>> {
    if (this.#connection?.isOpen === true) return this.#connection;
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined;
    });
    return await this.#opening;
  }

  async #open(): Promise<Connection<Call, HelperResponse>> {
    const connection = await Connection.open(this.#path, codec);
    if (this.#closed) connection.close();
    this.#connection = connection;
    void connection.closed.then(() => {
      if (!this.#closed) this.#onLost();
    });
    return connection;
  }
}
