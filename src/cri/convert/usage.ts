// Usage → berth.v1.
import type { PodUsage, ResourceUsage } from "../../generated/berth/v1/berth.ts";
import type { MeasuredSandbox } from "../measured-sandboxes.ts";
import type { MeasuredUsage } from "../../stats/usage-service.ts";

const limit = (amount: bigint | undefined): bigint | undefined => (amount === 0n ? undefined : amount);

export function toPodUsage({ sandbox, usage, containers }: MeasuredSandbox): PodUsage {
  const { name, namespace } = sandbox.config.metadata;
  return {
    podSandboxId: sandbox.id,
    name,
    namespace,
    usage: toResourceUsage(usage),
    containers: containers.map(({ container, usage: own }) => ({
      containerId: container.id,
      name: container.config.name,
      usage: toResourceUsage(own),
    })),
  };
}

function toResourceUsage({ timestampNanos, nanoCores, cpu, memory, pids, network, io, writableLayer }: MeasuredUsage): ResourceUsage {
  return {
    timestampNanos,
    cpuNanos: cpu.usageNanos,
    cpuNanoCores: nanoCores,
    cpuPeriods: cpu.periods,
    cpuThrottledPeriods: cpu.throttledPeriods,
    cpuThrottledNanos: cpu.throttledNanos,
    workingSetBytes: memory?.workingSetBytes,
    memoryLimitBytes: limit(memory?.limitBytes),
    swapBytes: memory?.swapBytes,
    swapLimitBytes: memory?.swapLimitBytes,
    oomKills: memory?.oomKills,
    pids: pids?.current,
    pidsLimit: limit(pids?.limit),
    rxBytes: network?.rxBytes,
    txBytes: network?.txBytes,
    readBytes: io?.counters?.readBytes,
    writtenBytes: io?.counters?.writtenBytes,
    writableLayer: writableLayer && {
      timestampNanos: writableLayer.timestampNanos,
      bytes: writableLayer.bytes,
      inodes: writableLayer.inodes,
    },
  };
}
