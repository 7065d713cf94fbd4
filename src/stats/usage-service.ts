// What pods and containers use, read by the helper from the kernel in one question, never by a walk and never by polling.
import type { ContainerRecord } from "../container/records.ts";
import type { InterfaceUsage, MemoryUsage, Usage, UsageTarget } from "../generated/berth/native/helper.ts";
import type { Helper } from "../native-client/helper.ts";
import type { NetworkService } from "../network/network-service.ts";
import type { SandboxRecord } from "../sandbox/records.ts";

export interface MeasuredUsage {
  readonly timestampNanos: bigint;
  readonly cpuNanos: bigint;
  /** billionths of a core since the question before this one; undefined at the first */
  readonly nanoCores: bigint | undefined;
  readonly memory: MemoryUsage;
  readonly processes: bigint;
  /** of a pod with an address; as the pod sees it */
  readonly network: InterfaceUsage | undefined;
}

interface Sample {
  readonly timestampNanos: bigint;
  readonly cpuNanos: bigint;
}

const NO_MEMORY: MemoryUsage = {
  usageBytes: 0n,
  workingSetBytes: 0n,
  rssBytes: 0n,
  pageFaults: 0n,
  majorPageFaults: 0n,
  limitBytes: 0n,
  swapBytes: 0n,
  oomKills: 0n,
};

// Two questions that close together would give a rate of noise; the earlier sample is kept then.
const SHORTEST_WINDOW_NANOS = 100_000_000n;
// Of objects that are gone; a node has far fewer that live.
const MAX_SAMPLES = 20_000;

export class UsageService {
  readonly #helper: Helper;
  readonly #network: NetworkService;
  #samples = new Map<string, Sample>();

  constructor(helper: Helper, network: NetworkService) {
    this.#helper = helper;
    this.#network = network;
  }

  /** By container id; one without a cgroup is left out. */
  async ofContainers(containers: readonly ContainerRecord[]): Promise<ReadonlyMap<string, MeasuredUsage>> {
    return await this.#read(containers.map(containerTarget));
  }

  /** Of pods and containers, by id. */
  async ofPods(sandboxes: readonly SandboxRecord[], containers: readonly ContainerRecord[]): Promise<ReadonlyMap<string, MeasuredUsage>> {
    const pods = sandboxes.map((sandbox) => ({
      key: sandbox.id,
      cgroupPath: sandbox.cgroupPath,
      hostInterface: this.#network.endpoint(sandbox.id)?.hostInterface ?? "",
    }));
    return await this.#read([...pods, ...containers.map(containerTarget)]);
  }

  async #read(targets: UsageTarget[]): Promise<ReadonlyMap<string, MeasuredUsage>> {
    if (targets.length === 0) return new Map();
    const usages = await this.#helper.getUsage(targets);
    return new Map(usages.map((usage) => [usage.key, this.#measure(usage)]));
  }

  #measure(usage: Usage): MeasuredUsage {
    const sample: Sample = { timestampNanos: usage.timestampNanos, cpuNanos: usage.cpu?.usageNanos ?? 0n };
    const before = this.#samples.get(usage.key);
    const window = before === undefined ? 0n : sample.timestampNanos - before.timestampNanos;
    const used = before === undefined ? 0n : sample.cpuNanos - before.cpuNanos;
    if (before === undefined || window >= SHORTEST_WINDOW_NANOS) this.#keep(usage.key, sample);
    return {
      ...sample,
      nanoCores: window > 0n && used >= 0n ? (used * 1_000_000_000n) / window : undefined,
      memory: usage.memory ?? NO_MEMORY,
      processes: usage.pids?.current ?? 0n,
      network: usage.network,
    };
  }

  #keep(key: string, sample: Sample): void {
    if (this.#samples.size >= MAX_SAMPLES) this.#samples = new Map();
    this.#samples.set(key, sample);
  }
}

const containerTarget = (container: ContainerRecord): UsageTarget => ({
  key: container.id,
  cgroupPath: container.cgroupPath,
  hostInterface: "",
});
