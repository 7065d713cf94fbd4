// What pods and their containers use, from two answers of the node a while apart. Pure.
import type { PodUsage, ResourceUsage } from "../generated/berth/v1/berth.ts";

export interface StatsRow {
  readonly pod: string;
  /** "" for the pod as a whole */
  readonly container: string;
  /** of one CPU; null when there is no rate yet */
  readonly cpuPercent: number | null;
  /** of what is below, null is what the node does not say, and no limit */
  readonly memoryBytes: bigint | null;
  readonly limitBytes: bigint | null;
  readonly swapBytes: bigint | null;
  readonly pids: bigint | null;
  readonly rxBytes: bigint | null;
  readonly txBytes: bigint | null;
  readonly readBytes: bigint | null;
  readonly writtenBytes: bigint | null;
  readonly layerBytes: bigint | null;
  readonly layerInodes: bigint | null;
}

/**
 * @param before an earlier answer; without it the rate is the node's own, which has one when it was asked before
 * @returns a row for each pod, followed by its containers'
 */
export function statsRows(before: readonly PodUsage[] | undefined, now: readonly PodUsage[]): StatsRow[] {
  const earlier = before && new Map(before.flatMap(usages));
  return now.flatMap((pod) => {
    const containers = pod.containers.map(({ containerId, name, usage }) => row(pod.name, name, containerId, usage, earlier));
    const whole = row(pod.name, "", pod.podSandboxId, pod.usage, earlier);
    return [{ ...whole, layerBytes: sum(containers, "layerBytes"), layerInodes: sum(containers, "layerInodes") }, ...containers];
  });
}

type UsageById = ReadonlyMap<string, ResourceUsage | undefined>;

const usages = ({ podSandboxId, usage, containers }: PodUsage): (readonly [string, ResourceUsage | undefined])[] => [
  [podSandboxId, usage],
  ...containers.map((each) => [each.containerId, each.usage] as const),
];

function row(pod: string, container: string, id: string, usage: ResourceUsage | undefined, earlier: UsageById | undefined): StatsRow {
  const nanoCores = earlier === undefined ? usage?.cpuNanoCores : nanoCoresBetween(earlier.get(id), usage);
  return {
    pod,
    container,
    cpuPercent: nanoCores === undefined ? null : Number(nanoCores) / 1e7,
    memoryBytes: usage?.workingSetBytes ?? null,
    limitBytes: usage?.memoryLimitBytes ?? null,
    swapBytes: usage?.swapBytes ?? null,
    pids: usage?.pids ?? null,
    rxBytes: usage?.rxBytes ?? null,
    txBytes: usage?.txBytes ?? null,
    readBytes: usage?.readBytes ?? null,
    writtenBytes: usage?.writtenBytes ?? null,
    layerBytes: usage?.writableLayer?.bytes ?? null,
    layerInodes: usage?.writableLayer?.inodes ?? null,
  };
}

/** Of what is known; null when nothing is. */
function sum(rows: readonly StatsRow[], field: "layerBytes" | "layerInodes"): bigint | null {
  return rows.reduce<bigint | null>((total, { [field]: amount }) => (amount === null ? total : (total ?? 0n) + amount), null);
}

// From the sums, and not the node's rate: others may have asked it meanwhile, and each question starts a new window.
function nanoCoresBetween(before: ResourceUsage | undefined, now: ResourceUsage | undefined): bigint | undefined {
  if (before === undefined || now === undefined) return undefined;
  const windowNanos = now.timestampNanos - before.timestampNanos;
  if (windowNanos <= 0n || now.cpuNanos < before.cpuNanos) return undefined;
  return ((now.cpuNanos - before.cpuNanos) * 1_000_000_000n) / windowNanos;
}
