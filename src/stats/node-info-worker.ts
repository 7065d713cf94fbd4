// The thread that asks systeminformation, and tells what it heard.
import { parentPort } from "node:worker_threads";
import { cpu, mem, osInfo } from "systeminformation";
import type { NodeInfo } from "./node-info.ts";

const [system, processor, memory] = await Promise.all([osInfo(), cpu(), mem()]);
const info: NodeInfo = {
  distribution: `${system.distro} ${system.release}`,
  kernel: system.kernel,
  architecture: system.arch,
  cpuModel: `${processor.manufacturer} ${processor.brand}`.trim(),
  cpus: processor.cores,
  memoryBytes: memory.total,
};
parentPort?.postMessage(info);
