// What pods and their containers use, from two answers of the node a while apart. Pure.
import type { ContainerStats, CpuUsage, LinuxPodSandboxStats, MemoryUsage, PodSandboxStats } from "../generated/cri/runtime/v1/api.ts";

export interface StatsRow {
  readonly pod: string;
  /** "" for the pod as a whole */
  readonly container: string;
  /** of one CPU; null when there is no rate yet */
  readonly cpuPercent: number | null;
  readonly memoryBytes: bigint | null;
  /** null when there is none */
  readonly limitBytes: bigint | null;
  readonly pids: bigint | null;
  readonly rxBytes: bigint | null;
  readonly txBytes: bigint | null;
}

/**
 * @param before an earlier answer; without it the rate is the node's own, which has one when it was asked before
 * @param limits in bytes, by container id
 * @returns a row for each pod, followed by its containers'
 */
export function statsRows(
  before: readonly PodSandboxStats[] | undefined,
  now: readonly PodSandboxStats[],
  limits: ReadonlyMap<string, bigint>,
): StatsRow[] {
  const earlier = before === undefined ? undefined : cpuById(before);
  return now.flatMap(({ attributes, linux }) => {
    if (attributes === undefined || linux === undefined) return [];
    const pod = attributes.metadata?.name ?? "";
    const containers = linux.containers.map((each) => containerRow(pod, each, earlier, limits));
    return [podRow(pod, attributes.id, linux, earlier), ...containers];
  });
}

type CpuById = ReadonlyMap<string, CpuUsage | undefined>;

function cpuById(stats: readonly PodSandboxStats[]): CpuById {
  const pods = stats.map(({ attributes, linux }) => [attributes?.id ?? "", linux?.cpu] as const);
  const containers = stats.flatMap(({ linux }) => (linux?.containers ?? []).map((each) => [each.attributes?.id ?? "", each.cpu] as const));
  return new Map([...pods, ...containers]);
}

function podRow(pod: string, id: string, linux: LinuxPodSandboxStats, earlier: CpuById | undefined): StatsRow {
  return {
    pod,
    container: "",
    ...usage(id, linux, earlier),
    limitBytes: null,
    pids: linux.process?.processCount?.value ?? null,
    rxBytes: linux.network?.defaultInterface?.rxBytes?.value ?? null,
    txBytes: linux.network?.defaultInterface?.txBytes?.value ?? null,
  };
}

function containerRow(pod: string, stats: ContainerStats, earlier: CpuById | undefined, limits: ReadonlyMap<string, bigint>): StatsRow {
  const id = stats.attributes?.id ?? "";
  const limit = limits.get(id) ?? 0n;
  return {
    pod,
    container: stats.attributes?.metadata?.name ?? "",
    ...usage(id, stats, earlier),
    limitBytes: limit > 0n ? limit : null,
    pids: null,
    rxBytes: null,
    txBytes: null,
  };
}

function usage(
  id: string,
  { cpu, memory }: { readonly cpu: CpuUsage | undefined; readonly memory: MemoryUsage | undefined },
  earlier: CpuById | undefined,
): Pick<StatsRow, "cpuPercent" | "memoryBytes"> {
  const nanoCores = earlier === undefined ? cpu?.usageNanoCores?.value : nanoCoresBetween(earlier.get(id), cpu);
  return {
    cpuPercent: nanoCores === undefined ? null : Number(nanoCores) / 1e7,
    memoryBytes: memory?.workingSetBytes?.value ?? null,
  };
}

// From the sums, and not the node's rate: others may have asked it meanwhile, and each question starts a new window.
function nanoCoresBetween(before: CpuUsage | undefined, now: CpuUsage | undefined): bigint | undefined {
  const used = [before, now].map((cpu) => cpu?.usageCoreNanoSeconds?.value);
  const [usedBefore, usedNow] = used;
  if (before === undefined || now === undefined || usedBefore === undefined || usedNow === undefined) return undefined;
  const windowNanos = now.timestamp - before.timestamp;
  return windowNanos > 0n && usedNow >= usedBefore ? ((usedNow - usedBefore) * 1_000_000_000n) / windowNanos : undefined;
}
