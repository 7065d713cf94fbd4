// What this machine is, for people who look at a node: found out once, in a thread that ends then, because asking starts
// programs and blocks for seconds. Nothing is decided from it.
import { Worker } from "node:worker_threads";

export interface NodeInfo {
  readonly distribution: string;
  readonly kernel: string;
  readonly architecture: string;
  readonly cpuModel: string;
  readonly cpus: number;
  readonly memoryBytes: number;
}

const TIMEOUT_MS = 30_000;

/** @returns undefined when it could not be found out in half a minute */
export async function readNodeInfo(workerUrl: URL): Promise<NodeInfo | undefined> {
  const worker = new Worker(workerUrl, { stdin: false });
  // A node that is told to stop does not wait for it.
  worker.unref();
  try {
    return await new Promise((resolve) => {
      worker.once("message", (info: NodeInfo) => resolve(info));
      worker.once("error", () => resolve(undefined));
      worker.once("exit", () => resolve(undefined));
      setTimeout(() => resolve(undefined), TIMEOUT_MS).unref();
    });
  } finally {
    await worker.terminate();
  }
}
