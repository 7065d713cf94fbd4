// `berth` as a person types it, without a process of its own for each command.
import { Readable, Writable } from "node:stream";
import { main } from "../../src/cli/main.ts";
import { goodMachine } from "./good-machine.ts";
import type { TestNode } from "./node.ts";

export interface Outcome {
  readonly code: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** @param node asked when a command runs, for tests that share one */
export function berthCli(node: () => TestNode) {
  const berth = async (args: readonly string[], stdin: Buffer = Buffer.alloc(0)): Promise<Outcome> => {
    const [stdout, stderr] = [new Collector(), new Collector()];
    const code = await main(["--socket", node().socket, ...args], {
      version: "test",
      stdin: Readable.from(stdin.length === 0 ? [] : [stdin]),
      stdout,
      stderr,
      env: {},
      nowMs: () => Date.now(),
      sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
      onSignal: () => () => {},
      ...goodMachine,
    });
    return { code, stdout: stdout.bytes, stderr: stderr.bytes.toString() };
  };
  /** @throws unless the exit code is 0 */
  const succeeds = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await berth(args);
    if (code !== 0) throw new Error(`berth ${args.join(" ")}: exit code ${code}: ${stderr}`);
    return stdout.toString();
  };
  return { berth, succeeds };
}

class Collector extends Writable {
  readonly #chunks: Buffer[] = [];

  override _write(chunk: Buffer, _: BufferEncoding, done: () => void): void {
    this.#chunks.push(chunk);
    done();
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }
}
