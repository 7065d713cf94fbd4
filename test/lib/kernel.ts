// What the kernel itself says.
import { readFileSync, readdirSync, readlinkSync, writeFileSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { join } from "node:path";

/** The inode of a namespace of a process: "net:[4026532008]". */
export const namespaceOf = (pid: number, kind: string): string => readlinkSync(`/proc/${pid}/ns/${kind}`);

/** Interfaces of our network namespace; /sys may still show another's. */
export const links = (): string[] =>
  execFileSync("ip", ["-o", "link"], { encoding: "utf8" })
    .split("\n")
    .flatMap((line) => line.split(": ")[1]?.split("@")[0] ?? [])
    .sort();

/** A zombie has ended; that its parent is slow to notice is not its fault. */
export function isRunning(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(")") + 2));
  } catch {
    return false;
  }
}

const CGROUPS = "/sys/fs/cgroup";
/** Whether this host has the one hierarchy alone. */
export const IS_V2 = readdirSync(CGROUPS).includes("cgroup.controllers");

/** A file of a cgroup: of its controller's hierarchy on v1, of the one hierarchy on v2. */
export function cgroupFile(path: string, controller: string, v1: string, v2: string): string {
  return readFileSync(IS_V2 ? join(CGROUPS, path, v2) : join(CGROUPS, controller, path, v1), "utf8").trim();
}

/** As who checkpoints or pauses it does; nobody lets it go again. */
export function freezeCgroup(path: string): void {
  if (IS_V2) writeFileSync(join(CGROUPS, path, "cgroup.freeze"), "1");
  else writeFileSync(join(CGROUPS, "freezer", path, "freezer.state"), "FROZEN");
}

/** All that Berth could leave in this kernel, a line each, sorted; to be compared before and after. */
export function kernelObjects(): string[] {
  const run = (program: string, ...args: string[]): string[] => execFileSync(program, args, { encoding: "utf8" }).split("\n");
  return [
    ...processes(),
    ...readFileSync("/proc/self/mountinfo", "utf8")
      .split("\n")
      .map((line) => `mount ${line.split(" ")[4] ?? ""}`),
    ...links().map((name) => `link ${name}`),
    ...run("nft", "list", "tables").map((line) => `nftables ${line}`),
    ...cgroups(CGROUPS, 4).map((path) => `cgroup ${path}`),
    ...sysctls("/proc/sys/net").map((line) => `sysctl ${line}`),
  ].sort();
}

/** What one node has in this kernel beside itself: of its instance id, below its folder, and in our network namespace. */
export function kernelObjectsOf(folder: string, instanceId: string): string[] {
  const mine = kernelObjects().filter(
    (line) => !/^(process|cgroup|mount|sysctl) /.test(line) || line.includes(instanceId) || line.includes(folder),
  );
  return [...mine, ...processesThatSee(folder).map((pid) => `process ${pid} sees ${folder}`)].sort();
}

/** Processes with a mount below the folder: a pod's shim and its containers are among them. */
function processesThatSee(folder: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/mountinfo`, "utf8").includes(folder);
      } catch {
        return false;
      }
    })
    .map(Number);
}

function processes(): string[] {
  const found: string[] = [];
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const name = readFileSync(`/proc/${pid}/comm`, "utf8").trim();
      const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
      if (isRunning(Number(pid)) && /berth|crun|runc|docker-registry/.test(name) && !/\bava\b|test\/run\.ts/.test(command))
        found.push(`process ${pid} ${name} ${command}`);
    } catch {
      // It ended meanwhile.
    }
  }
  return found;
}

function cgroups(folder: string, depth: number): string[] {
  if (depth === 0) return [];
  const folders = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return folders.flatMap((entry) => {
    const path = join(folder, entry.name);
    try {
      return [...(/berth/.test(path) ? [path] : []), ...cgroups(path, depth - 1)];
    } catch {
      return [];
    }
  });
}

// Settings of interfaces come and go with them; the kernel counts some values by itself.
const VOLATILE = /\/(conf|neigh)\/|random|uuid|tcp_mem|udp_mem|route\/flush|nf_conntrack_count/;

function sysctls(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !VOLATILE.test(path))
    .flatMap((path) => {
      try {
        return [`${path} = ${readFileSync(path, "utf8").trim()}`];
      } catch {
        return [];
      }
    });
}
