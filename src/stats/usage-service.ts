// What pods and containers use, read by the helper from the kernel in one question, never by a walk and never by polling. What
// writable layers take of the disk comes with it: the helper measures that in the background, and says what it knows.
import { dirname, join } from "node:path";
import type { ContainerRecord } from "../container/records.ts";
import type { CpuUsage, LayerTarget, LayerUsage, Usage, UsageTarget } from "../generated/berth/native/helper.ts";
import type { Helper } from "../native-client/helper.ts";
import type { NetworkService } from "../network/network-service.ts";
import type { SandboxRecord } from "../sandbox/records.ts";
import { CpuRates } from "./cpu-rates.ts";

/** What the kernel does not say is undefined; shapes and units: proto/berth/native/helper.proto. */
export interface MeasuredUsage extends Usage {
  readonly cpu: CpuUsage;
  /** billionths of a core since an earlier question; undefined at the first */
  readonly nanoCores: bigint | undefined;
  /** of a container; undefined until it was measured */
  readonly writableLayer: LayerUsage | undefined;
}

const NO_CPU: CpuUsage = { usageNanos: 0n, pressure: undefined };

/** common: what the CRI has fields for; all: throttling, kills, the limit of pids and disk too, at twice the cost; details: metrics. */
export type Figures = "common" | "all" | "details";

export class UsageService {
  readonly #helper: Helper;
  readonly #network: NetworkService;
  readonly #rates = new CpuRates();

  constructor(helper: Helper, network: NetworkService) {
    this.#helper = helper;
    this.#network = network;
  }

  /** By container id; one without a cgroup is left out. */
  async ofContainers(containers: readonly ContainerRecord[]): Promise<ReadonlyMap<string, MeasuredUsage>> {
    return await this.#read(containers.map(containerTarget), containers, "common");
  }

  /** Of pods and containers, by id. */
  async ofPods(
    sandboxes: readonly SandboxRecord[],
    containers: readonly ContainerRecord[],
    figures: Figures,
  ): Promise<ReadonlyMap<string, MeasuredUsage>> {
    const pods = sandboxes.map((sandbox) => ({
      ...NO_TARGET,
      key: sandbox.id,
      cgroupPath: sandbox.cgroupPath,
      ...(figures === "details" ? ownNetwork(sandbox) : { hostInterface: this.#network.endpoint(sandbox.id)?.hostInterface ?? "" }),
    }));
    return await this.#read([...pods, ...containers.map(containerTarget)], containers, figures);
  }

  /** Of containers that run or not; without those that were not measured yet. */
  async writableLayers(containers: readonly ContainerRecord[]): Promise<readonly LayerUsage[]> {
    if (containers.length === 0) return [];
    return (await this.#helper.getUsage({ targets: [], layers: containers.map(layerTarget), allFigures: false, details: false })).layers;
  }

  async #read(
    targets: UsageTarget[],
    containers: readonly ContainerRecord[],
    figures: Figures,
  ): Promise<ReadonlyMap<string, MeasuredUsage>> {
    if (targets.length === 0) return new Map();
    const layers = containers.map(layerTarget);
    const request = { targets, layers, allFigures: figures === "all", details: figures === "details" };
    const answer = await this.#helper.getUsage(request);
    const byKey = new Map(answer.layers.map((layer) => [layer.key, layer]));
    return new Map(answer.usages.map((usage) => [usage.key, this.#measured(usage, byKey.get(usage.key))]));
  }

  #measured(usage: Usage, writableLayer: LayerUsage | undefined): MeasuredUsage {
    const cpu = usage.cpu ?? NO_CPU;
    return { ...usage, cpu, nanoCores: this.#rates.rate(usage.key, usage.timestampNanos, cpu.usageNanos), writableLayer };
  }
}

const NO_TARGET: UsageTarget = { key: "", cgroupPath: "", hostInterface: "", networkPid: 0, networkStartTicks: 0n, firstPid: 0 };

const containerTarget = (container: ContainerRecord): UsageTarget => ({
  ...NO_TARGET,
  key: container.id,
  cgroupPath: container.cgroupPath,
  firstPid: container.pid,
});

/** The shim lives in the pod's network namespace. One of the node's own says nothing of the pod. */
const ownNetwork = ({ config, shim }: SandboxRecord): Pick<UsageTarget, "networkPid" | "networkStartTicks"> =>
  config.network === "host" ? NO_NETWORK : { networkPid: shim?.pid ?? 0, networkStartTicks: shim?.startTicks ?? 0n };

const NO_NETWORK = { networkPid: 0, networkStartTicks: 0n };

// In a pod that shares its PID namespace one container can write to another's root, so it is the pod that has to be still.
const layerTarget = (container: ContainerRecord): LayerTarget => ({
  key: container.id,
  folder: join(container.writableDir, "upper"),
  cgroupPath: dirname(container.cgroupPath),
});
