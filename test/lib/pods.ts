// Pods and containers as tests ask for them: defaults, so that a test names only what it is about.
import { randomUUID } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Cri, Message } from "./cri.ts";
import type { TestNode } from "./node.ts";

export interface PodStatus {
  readonly status: {
    readonly id: string;
    readonly state: string;
    readonly network: { readonly ip: string; readonly additional_ips: readonly { readonly ip: string }[] };
    readonly metadata: { readonly name: string };
  };
  readonly info: Readonly<Record<string, string>>;
}

export interface ContainerStatus {
  readonly status: {
    readonly id: string;
    readonly state: string;
    readonly exit_code: number;
    readonly reason: string;
    readonly message: string;
    readonly log_path: string;
    readonly started_at: string;
    readonly finished_at: string;
    readonly stop_signal: string;
    readonly annotations: Readonly<Record<string, string>>;
    readonly mounts: readonly Message[];
    readonly user: { readonly linux: Message };
  };
  readonly info: Readonly<Record<string, string>>;
}

export interface ExecAnswer {
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  readonly exit_code: number;
}

export class Pod {
  readonly id: string;
  readonly config: Message;
  readonly node: TestNode;

  private constructor(node: TestNode, id: string, config: Message) {
    this.node = node;
    this.id = id;
    this.config = config;
  }

  static async run(node: TestNode, config: Message = {}, runtimeHandler = ""): Promise<Pod> {
    const uid = randomUUID();
    const logDirectory = join(node.logs, uid);
    await mkdir(logDirectory, { recursive: true });
    const whole = {
      metadata: { name: `pod-${uid.slice(0, 8)}`, namespace: "test", uid, attempt: 0 },
      log_directory: logDirectory,
      ...config,
    };
    const { pod_sandbox_id } = await node.cri.call<{ pod_sandbox_id: string }>("RunPodSandbox", {
      config: whole,
      runtime_handler: runtimeHandler,
    });
    return new Pod(node, pod_sandbox_id, whole);
  }

  get #cri(): Cri {
    return this.node.cri;
  }

  async create(name: string, command: readonly string[], config: Message = {}): Promise<Container> {
    const { container_id } = await this.#cri.call<{ container_id: string }>("CreateContainer", {
      pod_sandbox_id: this.id,
      config: {
        metadata: { name, attempt: 0 },
        image: config["image"] ?? { image: this.node.image },
        command,
        log_path: `${name}.log`,
        linux: {},
        ...config,
      },
      sandbox_config: this.config,
    });
    return new Container(this.node, container_id);
  }

  /** Created and started. */
  async start(name: string, command: readonly string[], config: Message = {}): Promise<Container> {
    const container = await this.create(name, command, config);
    await container.start();
    return container;
  }

  status(): Promise<PodStatus> {
    return this.#cri.call<PodStatus>("PodSandboxStatus", { pod_sandbox_id: this.id, verbose: true });
  }

  async address(): Promise<string> {
    return (await this.status()).status.network.ip;
  }

  async stop(): Promise<void> {
    await this.#cri.call("StopPodSandbox", { pod_sandbox_id: this.id });
  }

  async remove(): Promise<void> {
    await this.#cri.call("RemovePodSandbox", { pod_sandbox_id: this.id });
  }
}

export class Container {
  readonly id: string;
  readonly node: TestNode;

  constructor(node: TestNode, id: string) {
    this.node = node;
    this.id = id;
  }

  async start(): Promise<void> {
    await this.node.cri.call("StartContainer", { container_id: this.id });
  }

  async stop(timeoutSeconds = 0): Promise<void> {
    await this.node.cri.call("StopContainer", { container_id: this.id, timeout: timeoutSeconds });
  }

  async remove(): Promise<void> {
    await this.node.cri.call("RemoveContainer", { container_id: this.id });
  }

  async status(): Promise<ContainerStatus["status"]> {
    return (await this.#status()).status;
  }

  /** The verbose part of its status. */
  async info(): Promise<ContainerStatus["info"]> {
    return (await this.#status()).info;
  }

  /** In the node's PID namespace. */
  async pid(): Promise<number> {
    return Number(JSON.parse((await this.#status()).info["info"] ?? "{}").pid);
  }

  async cgroupPath(): Promise<string> {
    return String(JSON.parse((await this.#status()).info["info"] ?? "{}").cgroupPath);
  }

  exec(command: readonly string[], timeoutSeconds = 0): Promise<ExecAnswer> {
    return this.node.cri.call<ExecAnswer>("ExecSync", { container_id: this.id, cmd: command, timeout: timeoutSeconds });
  }

  /** What a command says on standard output, without its last line break. */
  async output(...command: string[]): Promise<string> {
    const { stdout, stderr, exit_code } = await this.exec(command);
    if (exit_code !== 0) throw new Error(`${command.join(" ")}: exit code ${exit_code}: ${stderr}`);
    return stdout.toString().trimEnd();
  }

  /** @param location of the archive */
  async checkpoint(location: string, timeoutSeconds = 0): Promise<void> {
    await this.node.cri.call("CheckpointContainer", { container_id: this.id, location, timeout: timeoutSeconds });
  }

  /** Lines of the log, without their times: "stdout F hello". */
  async log(): Promise<string[]> {
    const text = await readFile((await this.status()).log_path, "utf8");
    return text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => line.slice(line.indexOf(" ") + 1));
  }

  /** Waits until the container is in the state. */
  async reached(state: "CONTAINER_RUNNING" | "CONTAINER_EXITED"): Promise<ContainerStatus["status"]> {
    return await this.node.eventually(`container ${this.id} is ${state}`, async () => {
      const status = await this.status();
      return status.state === state ? status : undefined;
    });
  }

  /** Waits until the log has a line that matches, and gives it. */
  async logged(pattern: RegExp): Promise<string> {
    return await this.node.eventually(`log of ${this.id} has ${pattern}`, async () =>
      (await this.log().catch(() => [])).find((line) => pattern.test(line)),
    );
  }

  #status(): Promise<ContainerStatus> {
    return this.node.cri.call<ContainerStatus>("ContainerStatus", { container_id: this.id, verbose: true });
  }
}
