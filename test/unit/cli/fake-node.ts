// A node within the test's own process, on a socket of its own. It has the pods and containers it is given; a container
// that is started writes its log at once and ends when the test, or a stop, says so.
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type Duplex, PassThrough, Readable } from "node:stream";
import { setImmediate } from "node:timers/promises";
import { Server, ServerCredentials, status, type handleServerStreamingCall, type handleUnaryCall } from "@grpc/grpc-js";
import type { ExecutionContext } from "ava";
import type { ProcessIo } from "../../../src/container/exec.ts";
import { startStreaming } from "../../lib/streaming-server.ts";
import type { StreamingServer } from "../../../src/cri/streaming/streaming-server.ts";
import { main } from "../../../src/cli/main.ts";
import { goodMachine } from "../../lib/good-machine.ts";
import type { World } from "../../../src/cli/session.ts";
import { message } from "../../../src/cli/message.ts";
import { type AuditDifference, BerthService, type EventsResponse, type LayerProgress } from "../../../src/generated/berth/v1/berth.ts";
import {
  Container,
  type ContainerConfig,
  ContainerState,
  ImageServiceService,
  PodSandbox,
  RuntimeServiceService,
} from "../../../src/generated/cri/runtime/v1/api.ts";
import { berthService, imageService, runtimeService } from "./fake-services.ts";

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How a container that is started behaves. */
export interface Program {
  /** lines of a CRI log */
  readonly log: string;
  /** undefined runs until it is stopped */
  readonly exitCode?: number;
}

interface HeldContainer extends Container {
  exitCode: number;
  logPath: string;
}

export const NOW_MS = 1_900_000_000_000;
const id = (number: number, kind: string): string => `${kind}${number}`.padEnd(64, "0");
const absent = (what: string) => ({ code: status.NOT_FOUND, details: `find ${what}: there is none` });

export class FakeNode {
  /** "StopContainer c1… 10", in the order they came */
  readonly calls: string[] = [];
  /** What containers were asked for with. */
  readonly created: ContainerConfig[] = [];
  readonly pods = new Map<string, PodSandbox & { logDirectory: string }>();
  readonly containers = new Map<string, HeldContainer>();
  readonly images = new Set<string>();
  /** by name; those without one here have the same */
  readonly imageIds = new Map<string, string>();
  /** What is told of every image that is asked for in full. */
  imageInfo: unknown = {};
  /** All that has happened; who follows them waits after the last for ever. */
  readonly events: EventsResponse[] = [];
  /** What an audit finds; a repair mends what does not say that it fails. */
  readonly differences: AuditDifference[] = [];
  /** What the command line finds out without a node. */
  machine: Pick<World, "nodeSettings" | "readFacts" | "checkConfig"> = goodMachine;
  program: Program = { log: "", exitCode: 0 };
  /** What our terminal is told: "raw", "cooked". */
  readonly terminal: string[] = [];
  /** What fails, by the call's name. */
  readonly failures = new Map<string, { code: status; details: string }>();
  loadedBytes = 0;
  /** of our standard output and error */
  isTerminal = false;
  /** beside HOME, which is its folder */
  env: Record<string, string> = {};
  /** What a pull tells on the way. */
  pullProgress: readonly LayerProgress[][] = [];
  /** "" is a registry that lets everybody in */
  password = "";
  readonly folder: string;
  #waiting: (() => void)[] = [];
  /** of the last command line, so far */
  stdout = "";
  readonly #server = new Server();
  readonly #signals = new Set<(signal: "SIGINT" | "SIGTERM") => void>();

  readonly streaming: StreamingServer;

  private constructor(folder: string, streaming: StreamingServer) {
    this.folder = folder;
    this.streaming = streaming;
  }

  static async start(t: ExecutionContext): Promise<FakeNode> {
    const node = new FakeNode(await mkdtemp(join(tmpdir(), "berth-cli-")), await startStreaming(t));
    const server = node.#server;
    server.addService(RuntimeServiceService, runtimeService(node));
    server.addService(ImageServiceService, imageService(node));
    server.addService(BerthService, berthService(node));
    await new Promise<void>((resolve, reject) => {
      server.bindAsync(`unix:${node.socket}`, ServerCredentials.createInsecure(), (failure) => (failure ? reject(failure) : resolve()));
    });
    t.teardown(async () => {
      server.forceShutdown();
      await rm(node.folder, { recursive: true, force: true });
    });
    return node;
  }

  get socket(): string {
    return join(this.folder, "berth.sock");
  }

  addPod(name: string, fields: Partial<PodSandbox> = {}, logDirectory = ""): string {
    const podId = id(this.pods.size + 1, "a");
    const metadata = { name, uid: `uid-${name}`, namespace: "default", attempt: 0 };
    this.pods.set(podId, { ...message(PodSandbox, { id: podId, metadata, createdAt: 1n, ...fields }), logDirectory });
    return podId;
  }

  addContainer(podSandboxId: string, name: string, fields: Partial<HeldContainer> = {}): string {
    const containerId = id(this.containers.size + 1, "c");
    const running = { id: containerId, podSandboxId, state: ContainerState.CONTAINER_RUNNING, createdAt: 1n };
    const container = message(Container, { ...running, metadata: { name, attempt: 0 } });
    this.containers.set(containerId, { ...container, exitCode: 0, logPath: "", ...fields });
    return containerId;
  }

  /** Resolves when a call has come so often. */
  async called(name: string, times: number): Promise<void> {
    await this.#until(() => this.calls.filter((call) => call.split(" ")[0] === name).length >= times);
  }

  /** Resolves when the last command line has printed it. */
  async printed(text: string): Promise<void> {
    await this.#until(() => this.stdout.includes(text));
  }

  async #until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** As a crash: connections are gone. */
  stop(): void {
    this.#server.forceShutdown();
  }

  signal(): void {
    for (const handle of this.#signals) handle("SIGINT");
  }

  /** Runs a command line to its end. */
  async berth(args: readonly string[], stdin: Readable = Readable.from([])): Promise<Ended> {
    const texts = { stdout: "", stderr: "" };
    const sink = (name: "stdout" | "stderr"): PassThrough =>
      new PassThrough().on("data", (chunk: Buffer) => {
        texts[name] += chunk.toString();
        this.stdout = texts.stdout;
        this.#wake();
      });
    const onSignal = (handle: (signal: "SIGINT" | "SIGTERM") => void) => {
      this.#signals.add(handle);
      return () => void this.#signals.delete(handle);
    };
    const stdout = Object.assign(sink("stdout"), { isTTY: this.isTerminal });
    const stderr = Object.assign(sink("stderr"), { isTTY: this.isTerminal, columns: 100, rows: 10 });
    const env = { HOME: this.folder, PATH: process.env["PATH"], ...this.env };
    // Nothing is waited for; others have their turn.
    const sleep = (): Promise<void> => setImmediate();
    const terminal = {
      size: () => ({ width: 80, height: 24 }),
      onResize: () => () => {},
      setRaw: (isRaw: boolean) => void this.terminal.push(isRaw ? "raw" : "cooked"),
    };
    const world = {
      version: "1.2.3",
      stdin,
      stdout,
      stderr,
      env,
      ...(this.isTerminal && { terminal }),
      nowMs: () => NOW_MS,
      sleep,
      onSignal,
      ...this.machine,
    };
    const code = await main(["--socket", this.socket, ...args], world);
    return { code, ...texts };
  }

  /** A call: noted, failed where it should fail, else answered. */
  answer<Q, S>(name: string, work: (request: Q) => S | Promise<S>, words: (request: Q) => string = () => ""): handleUnaryCall<Q, S> {
    return (call, callback) => {
      this.note(`${name} ${words(call.request)}`.trim());
      const failure = this.failures.get(name);
      if (failure !== undefined) return callback(failure);
      Promise.resolve(call.request)
        .then(work)
        .then((response) => callback(null, response), callback);
    };
  }

  /** A call with many answers, of which the last one may never come. */
  answerAll<Q, S>(
    name: string,
    work: (request: Q) => { readonly answers: readonly S[]; readonly ends: boolean },
    words: (request: Q) => string = () => "",
  ): handleServerStreamingCall<Q, S> {
    return (call) => {
      this.note(`${name} ${words(call.request)}`.trim());
      const { answers, ends } = work(call.request);
      for (const answer of answers) call.write(answer);
      call.on("cancelled", () => this.note(`${name} cancelled`));
      const failure = this.failures.get(name);
      if (failure !== undefined) call.emit("error", failure);
      else if (ends) call.end();
    };
  }

  note(call: string): void {
    this.calls.push(call);
    this.#wake();
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** A command: says how it was called and what it read, complains, and ends with 3. With a terminal it tells its size. */
  async command(cmd: readonly string[], { stdin, stdout, stderr, onResize }: ProcessIo): Promise<number> {
    this.note(`running ${cmd[0]}`);
    stdout?.write(cmd.join("|"));
    stderr?.write("oops");
    if (stderr === undefined)
      await new Promise<void>((resolve) => onResize((size) => resolve(void stdout?.write(` ${size.width}x${size.height}`))));
    if (stdin !== undefined) for await (const chunk of stdin) stdout?.write(chunk);
    if (cmd[0] === "sleep") await new Promise(() => {});
    return 3;
  }

  /** A port of a pod: only 80 is listened on. */
  async serve(port: number, data: Duplex): Promise<void> {
    if (port !== 80) throw new Error("connection refused");
    for await (const chunk of data) data.write(`${port} heard ${chunk}`);
  }

  container(containerId: string): HeldContainer {
    const container = this.containers.get(containerId);
    if (container === undefined) throw absent("container");
    return container;
  }

  async begin(container: HeldContainer): Promise<void> {
    container.state = ContainerState.CONTAINER_RUNNING;
    await mkdir(dirname(container.logPath), { recursive: true });
    await writeFile(container.logPath, this.program.log);
    if (this.program.exitCode === undefined) return;
    container.state = ContainerState.CONTAINER_EXITED;
    container.exitCode = this.program.exitCode;
  }
}
