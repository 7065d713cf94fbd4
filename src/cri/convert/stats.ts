// Usage → runtime.v1.
import type { ContainerRecord } from "../../container/records.ts";
import type { ContainerStats, CpuUsage, LinuxPodSandboxStats, MemoryUsage, PodSandboxStats } from "../../generated/cri/runtime/v1/api.ts";
import type { SandboxRecord } from "../../sandbox/records.ts";
import type { MeasuredUsage } from "../../stats/usage-service.ts";
import { toAttributes } from "./container-status.ts";
import { toPodSandbox } from "./sandbox-status.ts";

const value = (amount: bigint): { value: bigint } => ({ value: amount });

export function toContainerStats(container: ContainerRecord, usage: MeasuredUsage): ContainerStats {
  return {
    attributes: toAttributes(container),
    cpu: toCpu(usage),
    memory: toMemory(usage),
    writableLayer: undefined,
    swap: undefined,
    io: undefined,
  };
}

export function toPodSandboxStats(
  sandbox: SandboxRecord,
  usage: MeasuredUsage,
  containers: readonly ContainerRecord[],
  usages: ReadonlyMap<string, MeasuredUsage>,
): PodSandboxStats {
  const { id, metadata, labels, annotations } = toPodSandbox(sandbox);
  const linux: LinuxPodSandboxStats = {
    cpu: toCpu(usage),
    memory: toMemory(usage),
    network: toNetwork(usage),
    process: { timestamp: usage.timestampNanos, processCount: value(usage.processes) },
    containers: containers.flatMap((container) => {
      const own = usages.get(container.id);
      return own === undefined ? [] : [toContainerStats(container, own)];
    }),
    io: undefined,
  };
  return { attributes: { id, metadata, labels, annotations }, linux, windows: undefined };
}

function toCpu(usage: MeasuredUsage): CpuUsage {
  return {
    timestamp: usage.timestampNanos,
    usageCoreNanoSeconds: value(usage.cpuNanos),
    usageNanoCores: usage.nanoCores === undefined ? undefined : value(usage.nanoCores),
    psi: undefined,
  };
}

function toMemory(usage: MeasuredUsage): MemoryUsage {
  const { memory } = usage;
  const left = memory.limitBytes > memory.workingSetBytes ? memory.limitBytes - memory.workingSetBytes : 0n;
  return {
    timestamp: usage.timestampNanos,
    workingSetBytes: value(memory.workingSetBytes),
    // Without a limit nothing says how much is left; the kubelet then takes the node's.
    availableBytes: memory.limitBytes === 0n ? undefined : value(left),
    usageBytes: value(memory.usageBytes),
    rssBytes: value(memory.rssBytes),
    pageFaults: value(memory.pageFaults),
    majorPageFaults: value(memory.majorPageFaults),
    psi: undefined,
  };
}

function toNetwork(usage: MeasuredUsage): LinuxPodSandboxStats["network"] {
  const { network } = usage;
  if (network === undefined) return undefined;
  const defaultInterface = {
    name: "eth0",
    rxBytes: value(network.rxBytes),
    rxErrors: value(network.rxErrors),
    txBytes: value(network.txBytes),
    txErrors: value(network.txErrors),
  };
  return { timestamp: usage.timestampNanos, defaultInterface, interfaces: [] };
}
