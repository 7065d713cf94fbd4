// Limits of the CRI as the OCI runtime takes them; what this node refuses is left out and said. Pure.
import { AgentError } from "../../base/errors.ts";
import type { Resources } from "../../sandbox/records.ts";
import { cgroupLimits } from "../../sandbox/limits.ts";
import type { OciResources } from "./oci.ts";

/** What the node's kernel and our own rights allow. */
export interface NodeLimits {
  readonly cgroupV2: boolean;
  readonly swapAccounting: boolean;
  /** whether pods have the hugetlb controller */
  readonly hugepages: boolean;
  /** our own oom_score_adj; without CAP_SYS_RESOURCE nothing may go below it */
  readonly ownOomScoreAdj: number;
  readonly mayLowerOomScore: boolean;
  /** for containers that ask for none; 0: no limit */
  readonly defaultPidsLimit: number;
}

/** @throws AgentError invalid-argument for a value that no kernel takes */
export function ociResources(resources: Resources, privileged: boolean, node: NodeLimits): { resources: OciResources; warnings: string[] } {
  const warnings: string[] = [];
  const limits = cgroupLimits(resources);
  const result: OciResources = { devices: [{ allow: privileged, access: "rwm" }] };
  const memory: NonNullable<OciResources["memory"]> = {};
  if (limits.memoryBytes !== undefined) memory.limit = asNumber("memory_limit_in_bytes", limits.memoryBytes);
  if (limits.memorySwapBytes !== undefined) {
    if (node.swapAccounting) memory.swap = asNumber("memory_swap_limit_in_bytes", limits.memorySwapBytes);
    else warnings.push("memory_swap_limit_in_bytes: this kernel does not account swap");
  }
  if (Object.keys(memory).length > 0) result.memory = memory;
  const cpu: NonNullable<OciResources["cpu"]> = {};
  if (limits.cpuShares !== undefined) cpu.shares = asNumber("cpu_shares", limits.cpuShares);
  if (limits.cpuQuotaMicros !== undefined) cpu.quota = asNumber("cpu_quota", limits.cpuQuotaMicros);
  if (limits.cpuPeriodMicros !== undefined) cpu.period = asNumber("cpu_period", limits.cpuPeriodMicros);
  if (limits.cpusetCpus !== "") cpu.cpus = limits.cpusetCpus;
  if (limits.cpusetMems !== "") cpu.mems = limits.cpusetMems;
  if (Object.keys(cpu).length > 0) result.cpu = cpu;
  const pids = limits.pids ?? (node.defaultPidsLimit > 0 ? BigInt(node.defaultPidsLimit) : undefined);
  if (pids !== undefined) result.pids = { limit: asNumber("pids limit", pids) };
  addHugepages(result, resources.hugepageLimits ?? {}, node, warnings);
  addUnified(result, resources.unified, node, warnings);
  return { resources: result, warnings };
}

function addHugepages(result: OciResources, limits: Readonly<Record<string, bigint>>, node: NodeLimits, warnings: string[]): void {
  const all = Object.entries(limits);
  for (const [pageSize] of all) {
    if (!/^\d{1,9}[KMG]B$/.test(pageSize))
      throw new AgentError("invalid-argument", `read hugepage limit of ${JSON.stringify(pageSize)}: it is no page size such as 2MB`);
  }
  if (node.hugepages) {
    if (all.length > 0) result.hugepageLimits = all.map(([pageSize, limit]) => ({ pageSize, limit: asNumber("hugepage limit", limit) }));
    return;
  }
  // The kubelet asks for 0 of each size that a container does not use.
  const asked = all.filter(([, limit]) => limit > 0n);
  if (asked.length > 0)
    warnings.push(`hugepage_limits ${asked.map(([size]) => size).join(", ")}: pods of this node have no hugetlb controller`);
}

function addUnified(result: OciResources, unified: Resources["unified"], node: NodeLimits, warnings: string[]): void {
  const rest = Object.entries(unified).filter(([file]) => file !== "pids.max"); // already a limit above
  for (const [file, value] of rest) {
    if (!/^[a-z0-9_]+\.[a-z0-9_.]+$/.test(file) || /[\n\0]/.test(value)) {
      throw new AgentError("invalid-argument", `read unified resource ${JSON.stringify(file)}: it is no cgroup file and value`);
    }
  }
  if (rest.length === 0) return;
  if (node.cgroupV2) result.unified = Object.fromEntries(rest);
  else warnings.push(`unified ${rest.map(([file]) => file).join(", ")}: this node has cgroup v1`);
}

/** What this node makes of what was asked for: without what it warns of. */
export function appliedResources(resources: Resources, node: NodeLimits): Resources {
  const { memorySwapLimitBytes, ...others } = resources;
  return {
    ...others,
    ...(node.swapAccounting && memorySwapLimitBytes !== undefined ? { memorySwapLimitBytes } : {}),
    oomScoreAdj: oomScoreAdj(resources.oomScoreAdj, node, []),
    hugepageLimits: node.hugepages ? (resources.hugepageLimits ?? {}) : {},
    unified: Object.fromEntries(Object.entries(resources.unified).filter(([file]) => node.cgroupV2 || file === "pids.max")),
  };
}

/** The score the process gets: never below what we may set. */
export function oomScoreAdj(asked: number, node: NodeLimits, warnings: string[]): number {
  if (asked < -1000 || asked > 1000)
    throw new AgentError("invalid-argument", `read oom_score_adj ${asked}: it is not within -1000 to 1000`);
  if (asked >= node.ownOomScoreAdj || node.mayLowerOomScore) return asked;
  warnings.push(`oom_score_adj ${asked}: this node may not set less than ${node.ownOomScoreAdj}`);
  return node.ownOomScoreAdj;
}

function asNumber(field: string, value: bigint): number {
  if (value < -1n || value > BigInt(Number.MAX_SAFE_INTEGER))
    throw new AgentError("invalid-argument", `read ${field} ${value}: out of range`);
  return Number(value);
}
