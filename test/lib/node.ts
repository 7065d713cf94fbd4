// A whole node for a test: the built berthd with its helper and shims below a folder of its own, a real registry, and images in
// it. The network namespace is the test run's own, so bridges, rules and sysctls touch nobody else's.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { busyboxImage } from "./busybox-image.ts";
import { Cri } from "./cri.ts";
import { PATIENCE } from "./patience.ts";
import { DockerRegistry } from "./registry.ts";
import { DEFAULT_RUNTIME } from "./runtimes.ts";
import type { Teardown } from "./teardown.ts";

export const programs = process.env["BERTH_BIN"] ?? fileURLToPath(new URL("../../build/bin", import.meta.url));
const berthdSource = fileURLToPath(new URL("../../src/cmd/berthd.ts", import.meta.url));
/** An archive with the image of the demo. */
export const demoImage = process.env["BERTH_DEMO_IMAGE"] ?? fileURLToPath(new URL("../../build/demo-image.tar", import.meta.url));

const PATIENCE_MS = 20_000 * PATIENCE;
const LOOK_AGAIN_MS = 10;

export interface NodeOptions {
  /** more of berthd's command line */
  readonly flags?: readonly string[];
  /** folders below the node's for specifications of CDI; by default none */
  readonly specDirs?: readonly string[];
  /** a registry, and the image of `TestNode.image` pulled from it */
  readonly withImage?: boolean;
  /** folders that are there already, of file systems of their own */
  readonly root?: string;
  readonly state?: string;
  /** programs of an older build, with which it begins */
  readonly previous?: string;
}

export class TestNode {
  readonly folder: string;
  readonly cri: Cri;
  readonly root: string;
  readonly state: string;
  /** where the programs of the next start are; another build may be put in their place */
  bin: string;
  readonly #previous: string | undefined;
  readonly #flags: readonly string[];
  /** that older builds may not know */
  readonly #newFlags: string[];
  #registry: DockerRegistry | undefined;
  #child: ChildProcess | undefined;
  #log = "";

  private constructor(folder: string, { root, state, flags, specDirs, previous }: NodeOptions) {
    this.folder = folder;
    this.root = root ?? join(folder, "lib");
    this.state = state ?? join(folder, "run");
    this.cri = new Cri(this.socket);
    this.#previous = previous;
    this.bin = previous ?? programs;
    const folders = (specDirs ?? []).map((name) => join(folder, name));
    this.#newFlags = ["--cdi-spec-dirs", folders.join(",")];
    this.#flags = flags ?? [];
    if (DEFAULT_RUNTIME !== "" && !this.#flags.includes("--runtime")) this.#newFlags.push("--runtime", DEFAULT_RUNTIME);
  }

  static async start(t: Teardown, options: NodeOptions = {}): Promise<TestNode> {
    const node = new TestNode(await mkdtemp(join(tmpdir(), "berth-")), options);
    t.teardown(() => node.#end());
    await mkdir(node.logs);
    await node.boot();
    if (options.withImage ?? true) {
      node.#registry = await DockerRegistry.start(t);
      await node.registry.push("test/busybox", "1", await busyboxImage());
      await node.cri.call("PullImage", { image: { image: node.image } });
    }
    return node;
  }

  get socket(): string {
    return join(this.state, "berth.sock");
  }

  get logs(): string {
    return join(this.folder, "logs");
  }

  get registryConfigDir(): string {
    return join(this.folder, "certs.d");
  }

  get registry(): DockerRegistry {
    if (this.#registry === undefined) throw new Error("this node has no registry");
    return this.#registry;
  }

  /** busybox with its applets, and berth-demo. */
  get image(): string {
    return `${this.registry.address}/test/busybox:1`;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** All that berthd and its helper have logged since the last start. */
  get log(): string {
    return this.#log;
  }

  /** Starts berthd, and waits until it serves. */
  async boot(): Promise<void> {
    const program = join(this.bin, "berthd");
    if (!existsSync(program)) throw new Error(`${program} is not there: build first`);
    const child = this.#spawn(program);
    await this.eventually("berthd serves", async () => {
      if (child.exitCode !== null) throw new Error(`berthd ended with ${child.exitCode}: ${this.#log}`);
      return await this.cri.call("Status", {}, 1000 * PATIENCE).then(
        () => true,
        () => undefined,
      );
    });
  }

  /** Whether the berthd that was started last is there. */
  get isUp(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /**
   * Starts berthd from its sources with a failpoint of `src/base/failpoint.ts`, and waits until it serves or has ended there.
   *
   * @returns tells whether it has ended there by now
   */
  async bootWith(failpoint: string): Promise<() => boolean> {
    const child = this.#spawnSources(failpoint);
    await this.eventually("berthd serves or has ended", async () => {
      if (!this.isUp) return true;
      return await this.cri.call("Version", {}, 1000).then(
        () => true,
        () => undefined,
      );
    });
    return () => child.signalCode === "SIGKILL";
  }

  /** The same, and waits until it has ended there. @returns false when nothing came by in time, and it goes on */
  async bootUntil(failpoint: string, timeoutMs: number): Promise<boolean> {
    const child = this.#spawnSources(failpoint);
    const ended = new Promise((resolve) => child.once("exit", resolve));
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, timeoutMs).unref())]);
    return child.signalCode === "SIGKILL";
  }

  /** SIGTERM, and waits for its end. */
  async shutdown(): Promise<void> {
    await this.#signal("SIGTERM");
  }

  /** kill -9: nothing is told to end. */
  async crash(): Promise<void> {
    await this.#signal("SIGKILL");
  }

  /** Looks again and again until `look` gives something. @throws when it takes over 20 s by PATIENCE, or what `look` throws */
  async eventually<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
    for (const deadline = performance.now() + PATIENCE_MS; ; ) {
      const found = await look();
      if (found !== undefined) return found;
      if (performance.now() > deadline) throw new Error(`waited ${PATIENCE_MS} ms in vain until ${what}\n${this.#log.slice(-4000)}`);
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
    }
  }

  /** Eight digits in the names of all kernel objects of this node. */
  async instanceId(): Promise<string> {
    const { info } = await this.cri.call<{ info: Record<string, string> }>("Status", { verbose: true });
    return String(JSON.parse(info["config"] ?? "{}").instanceId);
  }

  /** Of the helper of this node, whoever started it; 0 while there is none. */
  async helperPid(): Promise<number> {
    for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
      const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
      if (command.includes("berth-helper\0") && command.includes(`${join(this.state, "helper.sock")}\0`)) return Number(pid);
    }
    return 0;
  }

  /** Makes a registry's name lead to this node's registry. */
  async mirror(name: string): Promise<void> {
    await mkdir(join(this.registryConfigDir, name), { recursive: true });
    await writeFile(join(this.registryConfigDir, name, "hosts.toml"), `[host."http://${this.registry.address}"]\n`);
  }

  #spawnSources(failpoint: string): ChildProcess {
    const parts = ["--helper", join(this.bin, "berth-helper"), "--shim", join(this.bin, "berth-shim")];
    return this.#spawn(process.execPath, [berthdSource, ...parts], { BERTH_FAILPOINT: failpoint });
  }

  #spawn(program: string, args: readonly string[] = [], environment: Readonly<Record<string, string>> = {}) {
    const folders = ["--root", this.root, "--state", this.state, "--registry-config-dir", this.registryConfigDir];
    const env = { ...process.env, ...environment };
    const flags = this.bin === this.#previous ? this.#flags : [...this.#newFlags, ...this.#flags];
    const child = spawn(program, [...args, ...folders, ...flags], { stdio: ["ignore", "ignore", "pipe"], env });
    this.#child = child;
    this.#log = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#log += text;
    });
    return child;
  }

  async #signal(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill(signal);
    await gone;
  }

  /** Takes all pods away in order; what is left after that is for the test run's last look to find. */
  async #end(): Promise<void> {
    if (this.#child?.exitCode !== null || this.#child.signalCode !== null) await this.boot();
    const { items } = await this.cri.call<{ items: readonly { id: string }[] }>("ListPodSandbox", {});
    for (const { id } of items) await this.cri.call("RemovePodSandbox", { pod_sandbox_id: id });
    await this.shutdown();
    this.cri.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}
