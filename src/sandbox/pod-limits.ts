// Limits of a pod's own cgroup: those of its containers together, and what the pod needs besides. Pure.
import type { Resources, SandboxConfig } from "./records.ts";

/** What a change names takes the place of what was there. */
export const changeResources = (before: Resources, change: Partial<Resources>): Resources => ({
  ...before,
  ...change,
  unified: { ...before.unified, ...change.unified },
  hugepageLimits: { ...before.hugepageLimits, ...change.hugepageLimits },
});

/** undefined where nobody has asked for any. Where containers have no limit, the pod has none. */
export function podLimits({ resources, overhead }: Pick<SandboxConfig, "resources" | "overhead">): Resources | undefined {
  if (resources === undefined || overhead === undefined) return resources;
  return {
    ...resources,
    cpuShares: sum(resources.cpuShares, overhead.cpuShares),
    cpuQuotaMicros: sum(resources.cpuQuotaMicros, overhead.cpuQuotaMicros),
    memoryLimitBytes: sum(resources.memoryLimitBytes, overhead.memoryLimitBytes),
    memorySwapLimitBytes: sum(resources.memorySwapLimitBytes, overhead.memoryLimitBytes),
  };
}

/** 0 is "not set", and a negative number no limit. */
const sum = (limit = 0n, more = 0n): bigint => (limit > 0n && more > 0n ? limit + more : limit);
