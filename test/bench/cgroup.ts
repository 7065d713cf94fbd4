// Cgroups of the bench: what its runtimes and their pods used is read from them exactly, and whoever is left in one is found there.
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cgroupFile } from "../lib/kernel.ts";

const MOUNT = "/sys/fs/cgroup";
const IS_V2 = readdirSync(MOUNT).includes("cgroup.controllers");
/** of v1 each controller has its own; links are other names of one that is there */
const HIERARCHIES = IS_V2
  ? [MOUNT]
  : readdirSync(MOUNT)
      .map((name) => join(MOUNT, name))
      .filter((path) => lstatSync(path).isDirectory() && !readdirSync(path).includes("cgroup.controllers"));
const COUNTING = IS_V2 ? MOUNT : join(MOUNT, "cpuacct");

const PATIENCE_MS = 3000;
const LOOK_AGAIN_MS = 10;

/** Milliseconds of processor time that all processes of the machine have had. */
export const machineCpuMs = (): number => cpuMs("/");

export class Cgroup {
  /** "/berth-bench-17/berth" */
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** In every hierarchy, as a kubelet makes a pod's. */
  static make(path: string): Cgroup {
    for (const hierarchy of HIERARCHIES) {
      const folder = join(hierarchy, path);
      mkdirSync(folder);
      if (IS_V2) handOnControllers(join(folder, ".."));
      else if (readdirSync(folder).includes("cpuset.cpus")) inheritCpuset(folder);
    }
    return new Cgroup(path);
  }

  below(name: string): Cgroup {
    return Cgroup.make(join(this.path, name));
  }

  /** This process goes in; what it starts from now on begins there. */
  enter(): void {
    writeFileSync(join(COUNTING, this.path, "cgroup.procs"), String(process.pid));
  }

  /** Of all that is or was in it and below it, in milliseconds. */
  cpuMs(): number {
    return cpuMs(this.path);
  }

  /** In it and below it. */
  processes(): number[] {
    return processesBelow(join(COUNTING, this.path));
  }

  /** With all below it. One that still has processes stays. */
  remove(): void {
    const unified = join(MOUNT, "unified");
    for (const hierarchy of IS_V2 || !existsSync(unified) ? HIERARCHIES : [...HIERARCHIES, unified])
      removeBelow(join(hierarchy, this.path));
  }

  /** What does not end by itself is killed: all in it is ours. @throws with the ids of what is left even so */
  async end(): Promise<void> {
    const startedAtMs = performance.now();
    for (let afterMs = 0; this.processes().length > 0 && afterMs < 2 * PATIENCE_MS; afterMs = performance.now() - startedAtMs) {
      if (afterMs > PATIENCE_MS) for (const pid of this.processes()) ifThere(() => process.kill(pid, "SIGKILL"), true);
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
    }
    this.remove();
    const left = this.processes();
    if (left.length > 0) throw new Error(`end cgroup ${this.path}: processes are left: ${left.join(", ")}`);
  }
}

/** The one that this process is in, to go back to. */
export function enterOwnCgroupAgain(): () => void {
  const line = IS_V2 ? /^0::(.*)$/m : /^\d+:(?:.*,)?cpuacct(?:,.*)?:(.*)$/m;
  const path = line.exec(readFileSync("/proc/self/cgroup", "utf8"))?.[1] ?? "/";
  return () => writeFileSync(join(COUNTING, path, "cgroup.procs"), String(process.pid));
}

function cpuMs(path: string): number {
  const text = cgroupFile(path, "cpuacct", "cpuacct.usage", "cpu.stat");
  const micros = /^usage_usec (\d+)$/m.exec(text)?.[1];
  return micros === undefined ? Number(text) / 1e6 : Number(micros) / 1e3;
}

function inheritCpuset(folder: string): void {
  for (const file of ["cpuset.cpus", "cpuset.mems"]) writeFileSync(join(folder, file), readFileSync(join(folder, "..", file)));
}

function handOnControllers(folder: string): void {
  const controllers = readFileSync(join(folder, "cgroup.controllers"), "utf8").trim().split(" ").filter(Boolean);
  writeFileSync(join(folder, "cgroup.subtree_control"), controllers.map((name) => `+${name}`).join(" "));
}

const foldersIn = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [join(folder, entry.name)] : []));

/** A cgroup may go while it is looked at. */
function ifThere<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch (failure) {
    if (["ENOENT", "ENODEV", "EBUSY", "ESRCH"].includes(String((failure as NodeJS.ErrnoException).code))) return otherwise;
    throw failure;
  }
}

function processesBelow(folder: string): number[] {
  const own = ifThere(() => readFileSync(join(folder, "cgroup.procs"), "utf8"), "");
  const below = ifThere(() => foldersIn(folder), []);
  return [...own.split("\n").filter(Boolean).map(Number), ...below.flatMap(processesBelow)];
}

function removeBelow(folder: string): void {
  for (const path of ifThere(() => foldersIn(folder), [])) removeBelow(path);
  ifThere(() => rmdirSync(folder), undefined);
}
