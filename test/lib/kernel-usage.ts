// What the kernel counts of a cgroup and of a folder, read by ourselves.
import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { cgroupFile } from "./kernel.ts";

export interface KernelUsage {
  readonly cpuNanos: bigint;
  readonly memoryBytes: bigint;
  readonly workingSetBytes: bigint;
  readonly rssBytes: bigint;
  readonly pageFaults: bigint;
  readonly majorPageFaults: bigint;
  readonly swapBytes: bigint;
  readonly pids: bigint;
  /** undefined where the kernel names no device */
  readonly readBytes: bigint | undefined;
  readonly writtenBytes: bigint | undefined;
}

/** Of the cgroup with those below it. */
export function kernelUsage(path: string): KernelUsage {
  const cpu = cgroupFile(path, "cpuacct", "cpuacct.usage", "cpu.stat");
  const stat = cgroupFile(path, "memory", "memory.stat", "memory.stat");
  const memoryBytes = BigInt(cgroupFile(path, "memory", "memory.usage_in_bytes", "memory.current"));
  const io = cgroupFile(path, "blkio", "blkio.throttle.io_service_bytes_recursive", "io.stat");
  return {
    cpuNanos: cpu.includes("usage_usec") ? field(cpu, "usage_usec") * 1000n : BigInt(cpu),
    memoryBytes,
    workingSetBytes: memoryBytes - field(stat, "total_inactive_file", "inactive_file"),
    rssBytes: field(stat, "total_rss", "anon"),
    pageFaults: field(stat, "total_pgfault", "pgfault"),
    majorPageFaults: field(stat, "total_pgmajfault", "pgmajfault"),
    swapBytes: stat.includes("total_swap ") ? field(stat, "total_swap") : BigInt(cgroupFile(path, "memory", "", "memory.swap.current")),
    pids: BigInt(cgroupFile(path, "pids", "pids.current", "pids.current")),
    readBytes: sum(io, / Read (\d+)| rbytes=(\d+)/g),
    writtenBytes: sum(io, / Write (\d+)| wbytes=(\d+)/g),
  };
}

/** The first of the names that is there. */
function field(text: string, ...names: readonly string[]): bigint {
  for (const name of names) {
    const found = new RegExp(`^${name} (\\d+)$`, "m").exec(text)?.[1];
    if (found !== undefined) return BigInt(found);
  }
  throw new Error(`the kernel does not say ${names.join(" or ")}`);
}

function sum(text: string, pattern: RegExp): bigint | undefined {
  const amounts = [...text.matchAll(pattern)].map(([, one, other]) => BigInt(one ?? other ?? 0));
  return amounts.length === 0 ? undefined : amounts.reduce((total, each) => total + each);
}

/** Bytes that an interface of the process's network namespace has received and sent. */
export function interfaceUsage(pid: number, name: string): { readonly rxBytes: bigint; readonly txBytes: bigint } {
  const line = readFileSync(`/proc/${pid}/net/dev`, "utf8")
    .split("\n")
    .find((each) => each.trim().startsWith(`${name}:`));
  const numbers = line?.split(":")[1]?.trim().split(/ +/) ?? [];
  return { rxBytes: BigInt(numbers[0] ?? 0), txBytes: BigInt(numbers[8] ?? 0) };
}

/** Blocks and inodes of one file system below a folder, each inode once. */
export function folderUsage(folder: string): { readonly bytes: bigint; readonly inodes: bigint } {
  const { dev } = lstatSync(folder, { bigint: true });
  const blocks = new Map<bigint, bigint>();
  const visit = (path: string): void => {
    const stat = lstatSync(path, { bigint: true });
    if (stat.dev !== dev) return;
    blocks.set(stat.ino, stat.blocks);
    if (stat.isDirectory()) for (const name of readdirSync(path)) visit(join(path, name));
  };
  visit(folder);
  return { bytes: [...blocks.values()].reduce((total, each) => total + each * 512n, 0n), inodes: BigInt(blocks.size) };
}
