// Types crictl's commands as a person would, and keeps count of what came back.
import { type ChildProcess, spawn } from "node:child_process";

const TIMEOUT_MS = 30_000;

export interface Answer {
  readonly code: number | null;
  /** stdout and stderr, without crictl's own warnings */
  readonly output: string;
}

export class Crictl {
  readonly #program: string;
  readonly #environment: NodeJS.ProcessEnv;
  passed = 0;
  failed = 0;

  /** @param socket of berthd */
  constructor(program: string, socket: string) {
    this.#program = program;
    this.#environment = { ...process.env, CONTAINER_RUNTIME_ENDPOINT: `unix://${socket}`, CRI_CONFIG_FILE: "/dev/null" };
  }

  /** Passes when the command succeeds and its output has `want`. @returns its output */
  async check(name: string, want: RegExp, args: readonly string[], input?: string): Promise<string> {
    const { code, output } = await this.run(args, input);
    this.count(name, code === 0 && want.test(output), `ended with ${code}: ${output}`);
    return output.trim();
  }

  /** Passes when the command fails and its output has `want`. */
  async refuse(name: string, want: RegExp, args: readonly string[]): Promise<void> {
    const { code, output } = await this.run(args);
    this.count(name, code !== 0 && code !== null && want.test(output), `ended with ${code}: ${output}`);
  }

  count(name: string, holds: boolean, otherwise: string): void {
    if (holds) this.passed++;
    else this.failed++;
    console.log(holds ? `  ✔ crictl ${name}` : `  ✘ crictl ${name}: ${otherwise.slice(-400)}`);
  }

  /** @param input for stdin, which then ends */
  async run(args: readonly string[], input?: string): Promise<Answer> {
    return await answerOf(this.start(args, input), TIMEOUT_MS);
  }

  /** In a terminal. */
  async inTerminal(name: string, want: RegExp, args: readonly string[]): Promise<void> {
    const command = [this.#program, ...args].join(" ");
    const child = spawn("script", ["-qec", command, "/dev/null"], { stdio: ["ignore", "pipe", "pipe"], env: this.#environment });
    const { code, output } = await answerOf(child, TIMEOUT_MS);
    this.count(name, code === 0 && want.test(output), `ended with ${code}: ${output}`);
  }

  /** @param input for stdin, which then ends; without it stdin is a pipe that the caller ends */
  start(args: readonly string[], input?: string): ChildProcess {
    const child = spawn(this.#program, args, { stdio: ["pipe", "pipe", "pipe"], env: this.#environment });
    child.stdin.on("error", () => {}); // it need not read all of it
    child.stdin.end(input);
    return child;
  }
}

async function answerOf(child: ChildProcess, timeoutMs: number): Promise<Answer> {
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  clearTimeout(timer);
  return { code, output: output.replaceAll(/^.*level=(?:warning|info).*\n/gm, "") };
}
