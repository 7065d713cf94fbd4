// Limits of the CRI as limits of a cgroup. Pure.
import type { CgroupLimits } from "../generated/berth/native/common.ts";
import type { Resources } from "./records.ts";

const positive = (value: bigint | undefined): bigint | undefined => (value === undefined || value === 0n ? undefined : value);

/** In the CRI 0 means "not set", so it leaves the kernel's value. */
export function cgroupLimits(resources: Resources): CgroupLimits {
  const unifiedPids = resources.unified["pids.max"];
  return {
    memoryBytes: positive(resources.memoryLimitBytes),
    memorySwapBytes: positive(resources.memorySwapLimitBytes),
    cpuShares: positive(resources.cpuShares),
    cpuQuotaMicros: positive(resources.cpuQuotaMicros),
    cpuPeriodMicros: positive(resources.cpuPeriodMicros),
    pids: positive(resources.pidsLimit) ?? (unifiedPids === undefined ? undefined : pidsLimit(unifiedPids)),
    cpusetCpus: resources.cpusetCpus ?? "",
    cpusetMems: resources.cpusetMems ?? "",
    hugepages: { ...resources.hugepageLimits },
    unified: Object.fromEntries(Object.entries(resources.unified).filter(([file]) => file !== "pids.max")),
  };
}

/** The value of cgroup v2's pids.max, "max" or a number; -1 is no limit. */
function pidsLimit(text: string): bigint | undefined {
  if (text === "max") return -1n;
  return /^\d{1,18}$/.test(text) ? BigInt(text) : undefined;
}
