// What a command works with: the node, the terminal, the clock. Only src/cmd/ builds the real ones.
import type { Readable, Writable } from "node:stream";
import type { Facts, NodeSettings } from "./doctor/facts.ts";
import { NodeClient } from "./client.ts";
import type { LogStream } from "./cri-log.ts";
import { tell } from "./failure.ts";
import type { Terminal } from "./terminal.ts";

export interface World {
  readonly version: string;
  readonly stdin: Readable & { readonly isTTY?: boolean; setRawMode?(raw: boolean): unknown };
  readonly stdout: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  readonly stderr: Writable & { readonly isTTY?: boolean; readonly columns?: number; readonly rows?: number };
  readonly env: Readonly<Record<string, string | undefined>>;
  /** There when both input and output are one. */
  readonly terminal?: Terminal;
  /** What berthd would be started with. @param file undefined is its own @throws AgentError invalid-argument */
  nodeSettings(file: string | undefined): NodeSettings;
  /** Looks at the machine. */
  readFacts(settings: NodeSettings): Promise<Facts>;
  /** What is wrong with a file of settings; `line` from 1, 0 where it is of no line. */
  checkConfig(file: string): readonly { readonly line: number; readonly message: string }[];
  /** milliseconds since the epoch */
  nowMs(): number;
  /** Resolves after so long, or as soon as `until` is aborted. */
  sleep(ms: number, until?: AbortSignal): Promise<void>;
  /** Calls `handle` at each SIGINT and SIGTERM, until the function that comes back is called. */
  onSignal(handle: (signal: "SIGINT" | "SIGTERM") => void): () => void;
}

export class Session {
  readonly world: World;
  /** Set before a command runs. */
  socket = "";
  /** Of the program. */
  exitCode = 0;
  #node: NodeClient | undefined;

  constructor(world: World) {
    this.world = world;
  }

  /** The connection is made at the first call, so a command that asks nothing needs no node. */
  get node(): NodeClient {
    this.#node ??= new NodeClient(this.socket);
    return this.#node;
  }

  /** Resolves when the text is taken, so that a slow reader slows us and does not fill our memory. */
  print(text: string | Uint8Array, stream: LogStream = "stdout"): Promise<void> {
    return new Promise((resolve, reject) => {
      this.world[stream].write(text, (failure) => (failure ? reject(failure) : resolve()));
    });
  }

  /** Tells a failure and remembers it for the exit code; the command may go on. */
  async fail(failure: unknown): Promise<void> {
    this.exitCode = 1;
    const { line, hint } = tell(failure, this.socket);
    await this.print(`berth: ${line}\n${hint === undefined ? "" : `hint: ${hint}\n`}`, "stderr");
  }

  close(): void {
    this.#node?.close();
  }
}
