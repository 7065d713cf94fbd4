// The helper as a process of ours: started when no service manager did, and again when it ends.
import { type ChildProcess, spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { AgentError, kindOf, messageOf } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { runsProgram } from "../base/runs-program.ts";
import type { HelperHelloResult } from "../generated/berth/native/helper.ts";
import { HelperClient } from "./helper.ts";

export interface HelperProcessOptions {
  readonly program: string;
  readonly shimProgram: string;
  readonly socketPath: string;
  readonly root: string;
  readonly state: string;
  readonly log: Log;
}

const START_TIMEOUT_MS = 10_000;
const RETRY_MS = 20;
const RESTART_MS = 100;
const END_TIMEOUT_MS = 10_000;

/** A helper that an earlier berthd left is used as it is, unless it is another than we would start. */
export class HelperProcess {
  readonly #options: HelperProcessOptions;
  readonly client: HelperClient;
  #child: ChildProcess | undefined;
  /** of a helper that is no child of ours; 0: there was none */
  #takenOver = 0;
  #replacing = false;
  #stopping = false;

  constructor(options: HelperProcessOptions) {
    this.#options = options;
    this.client = new HelperClient(options.socketPath, () => void this.#lost());
  }

  async ensure(): Promise<HelperHelloResult> {
    const present = await this.client.hello().catch(() => undefined);
    if (present !== undefined) {
      if (await this.#isAsWeStartIt(present.pid)) {
        this.#takenOver = present.pid;
        return present;
      }
      await this.#end(present);
    }
    this.#start();
    const deadline = performance.now() + START_TIMEOUT_MS;
    for (;;) {
      try {
        return await this.client.hello();
      } catch (failure) {
        if (kindOf(failure) !== "unavailable" || performance.now() > deadline) {
          throw new AgentError("unavailable", `start helper ${this.#options.program}: ${messageOf(failure)}`, { cause: failure });
        }
        await pause(RETRY_MS);
      }
    }
  }

  /** Ends the helper and waits for its end, with which the mount of the state folder goes; shims go on. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const child = this.#child;
    const gone =
      child === undefined || child.exitCode !== null || child.signalCode !== null
        ? undefined
        : new Promise((resolve) => child.once("exit", resolve));
    await this.client.shutdown().catch(() => {});
    await gone;
    if (child === undefined && this.#takenOver !== 0) await hasEnded(this.#takenOver);
  }

  /** One of an earlier build would serve until the next boot, and start shims of its own build. */
  async #isAsWeStartIt(pid: number): Promise<boolean> {
    if (!(await runsProgram(pid, this.#options.program))) return false;
    const [, ...args] = (await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).split("\0").slice(0, -1);
    return args.join("\0") === this.#args().join("\0");
  }

  /** It keeps no state, and who had asked it for something is gone. */
  async #end({ pid, version }: HelperHelloResult): Promise<void> {
    const { log, socketPath } = this.#options;
    log.info({ pid, version }, "the helper is of another build or was started otherwise; it is replaced");
    this.#replacing = true;
    await this.client.shutdown().catch(() => {});
    // Its lock goes with the last of its threads; the next one would be refused before that.
    if (!(await hasEnded(pid))) throw new AgentError("unavailable", `replace the helper on ${socketPath}: process ${pid} has not ended`);
    this.#replacing = false;
  }

  /** The end of a child of ours is told by its exit; of one that was taken over we only see the connection end. */
  async #lost(): Promise<void> {
    if (this.#child !== undefined || this.#stopping || this.#replacing) return;
    // The connection may have ended alone: a second helper would not get the first one's lock.
    if (await this.client.hello().then(Boolean, () => false)) return;
    if (this.#child !== undefined || this.#stopping) return;
    this.#options.log.warn({}, "the helper that was taken over has ended; another is started");
    this.#start();
  }

  #args(): string[] {
    const { shimProgram, socketPath, root, state } = this.#options;
    return ["--socket", socketPath, "--root", root, "--state", state, "--shim", shimProgram];
  }

  #start(): void {
    const { program, log } = this.#options;
    // Its own session, so that Ctrl-C in our terminal ends berthd alone, which then ends the helper in order.
    const child = spawn(program, this.#args(), {
      stdio: ["ignore", "ignore", "inherit"],
      detached: true,
      env: { PATH: process.env["PATH"] ?? "" },
    });
    this.#child = child;
    child.once("error", (failure) => log.error({ err: failure.message, program }, "the helper could not be started"));
    child.once("exit", (code, signal) => {
      if (this.#stopping || this.#child !== child) return;
      log.warn({ code, signal }, "the helper ended; it is started again");
      setTimeout(() => {
        if (!this.#stopping) this.#start();
      }, RESTART_MS);
    });
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits for it. @returns false when it took too long */
async function hasEnded(pid: number): Promise<boolean> {
  for (const deadline = performance.now() + END_TIMEOUT_MS; await isThere(pid); await pause(RETRY_MS)) {
    if (performance.now() > deadline) return false;
  }
  return true;
}

/** A zombie's threads have ended, and its files are closed. */
async function isThere(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return stat !== "" && !/^[ZX]/.test(stat.slice(stat.lastIndexOf(")") + 2));
}
