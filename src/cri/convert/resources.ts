// Limits: runtime.v1 ↔ domain.
import type { LinuxContainerResources } from "../../generated/cri/runtime/v1/api.ts";
import type { Resources } from "../../sandbox/records.ts";

const NO_RESOURCES: Resources = { oomScoreAdj: 0, unified: {} };

export function toResources(proto: LinuxContainerResources | undefined): Resources {
  if (proto === undefined) return NO_RESOURCES;
  return {
    cpuPeriodMicros: proto.cpuPeriod,
    cpuQuotaMicros: proto.cpuQuota,
    cpuShares: proto.cpuShares,
    memoryLimitBytes: proto.memoryLimitInBytes,
    memorySwapLimitBytes: proto.memorySwapLimitInBytes,
    cpusetCpus: proto.cpusetCpus,
    cpusetMems: proto.cpusetMems,
    oomScoreAdj: Number(proto.oomScoreAdj),
    hugepageLimits: Object.fromEntries(proto.hugepageLimits.map(({ pageSize, limit }) => [pageSize, limit])),
    unified: proto.unified,
  };
}

/** What an update names; zero and "" leave a limit as it is. */
export function toResourcesChange(proto: LinuxContainerResources): Partial<Resources> {
  const { unified, hugepageLimits = {}, oomScoreAdj, ...limits } = toResources(proto);
  const named = Object.entries(limits).filter(([, value]) => value !== 0n && value !== "");
  return { ...Object.fromEntries(named), unified, hugepageLimits, ...(oomScoreAdj === 0 ? {} : { oomScoreAdj }) };
}

export function fromResources(resources: Resources): LinuxContainerResources {
  return {
    cpuPeriod: resources.cpuPeriodMicros ?? 0n,
    cpuQuota: resources.cpuQuotaMicros ?? 0n,
    cpuShares: resources.cpuShares ?? 0n,
    memoryLimitInBytes: resources.memoryLimitBytes ?? 0n,
    memorySwapLimitInBytes: resources.memorySwapLimitBytes ?? 0n,
    cpusetCpus: resources.cpusetCpus ?? "",
    cpusetMems: resources.cpusetMems ?? "",
    oomScoreAdj: BigInt(resources.oomScoreAdj),
    unified: { ...resources.unified },
    hugepageLimits: Object.entries(resources.hugepageLimits ?? {}).map(([pageSize, limit]) => ({ pageSize, limit })),
  };
}
