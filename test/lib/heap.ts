// How much of a Node process's heap is in use, by its inspector, which SIGUSR1 opens: what is garbage is taken away before.
import { once } from "node:events";
import { WebSocket } from "ws";
import type { TestNode } from "./node.ts";

const INSPECTOR = "http://127.0.0.1:9229/json/list";

interface HeapUsage {
  readonly usedSize: number;
  readonly backingStorageSize?: number;
}

export class Heap {
  readonly #socket: WebSocket;
  #lastId = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  /** Of berthd; nothing else of this network namespace may be inspected. */
  static async open(node: TestNode): Promise<Heap> {
    process.kill(node.pid, "SIGUSR1");
    const [target] = await node.eventually("the inspector answers", () =>
      fetch(INSPECTOR).then(
        (answer) => answer.json() as Promise<{ webSocketDebuggerUrl: string }[]>,
        () => undefined,
      ),
    );
    const socket = new WebSocket(target?.webSocketDebuggerUrl ?? "");
    await once(socket, "open");
    return new Heap(socket);
  }

  async usedBytes(): Promise<number> {
    await this.#ask("HeapProfiler.collectGarbage");
    const { usedSize, backingStorageSize = 0 } = await this.#ask<HeapUsage>("Runtime.getHeapUsage");
    return usedSize + backingStorageSize;
  }

  close(): void {
    this.#socket.close();
  }

  async #ask<A>(method: string): Promise<A> {
    const id = ++this.#lastId;
    this.#socket.send(JSON.stringify({ id, method }));
    for (;;) {
      const [data] = await once(this.#socket, "message");
      const answer = JSON.parse(String(data)) as { id?: number; result: A };
      if (answer.id === id) return answer.result;
    }
  }
}
