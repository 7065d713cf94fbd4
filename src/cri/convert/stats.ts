// Usage → runtime.v1. What the kernel does not say is left out.
import type { ContainerRecord } from "../../container/records.ts";
import type { LayerUsage, PressureStats, Stalled } from "../../generated/berth/native/helper.ts";
import type {
  ContainerStats,
  CpuUsage,
  FilesystemUsage,
  IoUsage,
  LinuxPodSandboxStats,
  MemoryUsage,
  PodSandboxStats,
  PsiData,
  PsiStats,
  SwapUsage,
} from "../../generated/cri/runtime/v1/api.ts";
import type { MeasuredUsage } from "../../stats/usage-service.ts";
import type { MeasuredSandbox } from "../measured-sandboxes.ts";
import { toAttributes } from "./container-status.ts";
import { toPodSandbox } from "./sandbox-status.ts";

const value = (amount: bigint): { value: bigint } => ({ value: amount });
const left = (limit: bigint, used: bigint): bigint => (limit > used ? limit - used : 0n);

/** @param mountpoint of the file system with the writable layers */
export function toContainerStats(container: ContainerRecord, usage: MeasuredUsage, mountpoint: string): ContainerStats {
  return {
    attributes: toAttributes(container),
    cpu: toCpu(usage),
    memory: toMemory(usage),
    writableLayer: usage.writableLayer && toWritableLayer(usage.writableLayer, mountpoint),
    swap: toSwap(usage),
    io: toIo(usage),
  };
}

export function toPodSandboxStats({ sandbox, usage, containers }: MeasuredSandbox, mountpoint: string): PodSandboxStats {
  const { id, metadata, labels, annotations } = toPodSandbox(sandbox);
  const linux: LinuxPodSandboxStats = {
    cpu: toCpu(usage),
    memory: toMemory(usage),
    network: toNetwork(usage),
    process: usage.pids && { timestamp: usage.timestampNanos, processCount: value(usage.pids.current) },
    containers: containers.map(({ container, usage: own }) => toContainerStats(container, own, mountpoint)),
    io: toIo(usage),
  };
  return { attributes: { id, metadata, labels, annotations }, linux, windows: undefined };
}

function toWritableLayer({ timestampNanos, bytes, inodes }: LayerUsage, mountpoint: string): FilesystemUsage {
  return { timestamp: timestampNanos, fsId: { mountpoint }, usedBytes: value(bytes), inodesUsed: value(inodes) };
}

function toCpu({ timestampNanos, cpu, nanoCores }: MeasuredUsage): CpuUsage {
  return {
    timestamp: timestampNanos,
    usageCoreNanoSeconds: value(cpu.usageNanos),
    usageNanoCores: nanoCores === undefined ? undefined : value(nanoCores),
    psi: toPsi(cpu.pressure),
  };
}

function toMemory({ timestampNanos, memory }: MeasuredUsage): MemoryUsage | undefined {
  if (memory === undefined) return undefined;
  return {
    timestamp: timestampNanos,
    workingSetBytes: value(memory.workingSetBytes),
    // Without a limit nothing says how much is left; the kubelet then takes the node's.
    availableBytes: memory.limitBytes === 0n ? undefined : value(left(memory.limitBytes, memory.workingSetBytes)),
    usageBytes: value(memory.usageBytes),
    rssBytes: value(memory.rssBytes),
    pageFaults: value(memory.pageFaults),
    majorPageFaults: value(memory.majorPageFaults),
    psi: toPsi(memory.pressure),
  };
}

function toSwap({ timestampNanos, memory }: MeasuredUsage): SwapUsage | undefined {
  if (memory?.swapBytes === undefined) return undefined;
  const { swapBytes, swapLimitBytes } = memory;
  return {
    timestamp: timestampNanos,
    swapAvailableBytes: swapLimitBytes === undefined ? undefined : value(left(swapLimitBytes, swapBytes)),
    swapUsageBytes: value(swapBytes),
  };
}

/** The CRI has no bytes here, only pressure. */
function toIo({ timestampNanos, io }: MeasuredUsage): IoUsage | undefined {
  const psi = toPsi(io?.pressure);
  return psi && { timestamp: timestampNanos, psi };
}

function toPsi(pressure: PressureStats | undefined): PsiStats | undefined {
  return pressure && { Full: toPsiData(pressure.full), Some: toPsiData(pressure.some) };
}

const toPsiData = (stalled: Stalled | undefined): PsiData | undefined =>
  stalled && { Total: stalled.totalMicros, Avg10: stalled.avg10, Avg60: stalled.avg60, Avg300: stalled.avg300 };

function toNetwork({ timestampNanos, network }: MeasuredUsage): LinuxPodSandboxStats["network"] {
  if (network === undefined) return undefined;
  const defaultInterface = {
    name: "eth0",
    rxBytes: value(network.rxBytes),
    rxErrors: value(network.rxErrors),
    txBytes: value(network.txBytes),
    txErrors: value(network.txErrors),
  };
  return { timestamp: timestampNanos, defaultInterface, interfaces: [] };
}
