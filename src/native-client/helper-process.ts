// The helper as a process of ours: started when no service manager did, and again when it ends.
import { type ChildProcess, spawn } from "node:child_process";
import { AgentError, kindOf, messageOf } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
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

/** A helper that an earlier berthd left is used as it is: it may have work in hand. */
export class HelperProcess {
  readonly #options: HelperProcessOptions;
  readonly client: HelperClient;
  #child: ChildProcess | undefined;
  #stopping = false;

  constructor(options: HelperProcessOptions) {
    this.#options = options;
    this.client = new HelperClient(options.socketPath, () => void this.#lost());
  }

  async ensure(): Promise<HelperHelloResult> {
    const present = await this.client.hello().catch(() => undefined);
    if (present !== undefined) return present;
    this.#start();
    const deadline = performance.now() + START_TIMEOUT_MS;
    for (;;) {
      try {
        return await this.client.hello();
      } catch (failure) {
        if (kindOf(failure) !== "unavailable" || performance.now() > deadline) {
          throw new AgentError("unavailable", `start helper ${this.#options.program}: ${messageOf(failure)}`, { cause: failure });
        }
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  /** Ends the helper; shims go on. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const child = this.#child;
    const gone =
      child === undefined || child.exitCode !== null || child.signalCode !== null
        ? undefined
        : new Promise((resolve) => child.once("exit", resolve));
    await this.client.shutdown().catch(() => {});
    await gone;
  }

  /** The end of a child of ours is told by its exit; of one that was taken over we only see the connection end. */
  async #lost(): Promise<void> {
    if (this.#child !== undefined || this.#stopping) return;
    // The connection may have ended alone: a second helper would not get the first one's lock.
    if (await this.client.hello().then(Boolean, () => false)) return;
    if (this.#child !== undefined || this.#stopping) return;
    this.#options.log.warn({}, "the helper that was taken over has ended; another is started");
    this.#start();
  }

  #start(): void {
    const { program, shimProgram, socketPath, root, state, log } = this.#options;
    const args = ["--socket", socketPath, "--root", root, "--state", state, "--shim", shimProgram];
    // Its own session, so that Ctrl-C in our terminal ends berthd alone, which then ends the helper in order.
    const child = spawn(program, args, {
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
