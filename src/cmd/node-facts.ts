// What this machine is, found out once at start.
import { existsSync, readFileSync, statSync } from "node:fs";
import { hostname } from "node:os";
import { basename, join } from "node:path";
import { AgentError } from "../base/errors.ts";
import type { Config } from "../config/table.ts";
import { nodeCapabilities } from "../container/spec/capabilities.ts";
import type { NodeFacts } from "../container/spec/build-spec.ts";
import { readPolicy, type SelinuxPolicy } from "../container/spec/selinux.ts";
import { CgroupMode, type HelperHelloResult } from "../generated/berth/native/helper.ts";

const isProgram = (path: string): boolean => {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat?.isFile() === true && (stat.mode & 0o111) !== 0;
};

/** The path of a program by its name, or of a path itself; undefined when there is none. */
export function findProgram(name: string, path = process.env["PATH"] ?? ""): string | undefined {
  if (name.includes("/")) return isProgram(name) ? name : undefined;
  return path
    .split(":")
    .map((folder) => join(folder, name))
    .find(isProgram);
}

/** Handlers by name: "" is the default, crun where it is installed, else runc. @param more programs by handler */
export function findRuntimes(configured: string, more: Readonly<Record<string, string>>): ReadonlyMap<string, string> {
  const runtimes = new Map<string, string>();
  for (const name of ["crun", "runc"]) {
    const path = findProgram(name);
    if (path !== undefined) runtimes.set(name, path);
  }
  for (const [name, program] of Object.entries(more)) runtimes.set(name, requireProgram(program));
  const chosen = configured === "" ? (runtimes.get("crun") ?? runtimes.get("runc")) : requireProgram(configured);
  if (chosen !== undefined) runtimes.set("", chosen);
  return runtimes;
}

function requireProgram(name: string): string {
  const path = findProgram(name);
  if (path === undefined) throw new AgentError("invalid-argument", `find OCI runtime ${JSON.stringify(name)}: there is no such program`);
  return path;
}

/** Of another program nobody knows whether it joins a user namespace before the others. */
export const userNamespaceHandlers = (runtimes: ReadonlyMap<string, string>): ReadonlySet<string> =>
  new Set([...runtimes].filter(([, path]) => ["crun", "runc"].includes(basename(path))).map(([name]) => name));

export const bootId = (): string => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();

const SELINUX = "/sys/fs/selinux/enforce";
const SELINUX_CONFIG = "/etc/selinux/config";

/** undefined where the kernel has no SELinux */
function selinuxPolicy(): SelinuxPolicy | undefined {
  if (!existsSync(SELINUX)) return undefined;
  const [, name = "targeted"] = /^SELINUXTYPE=([\w-]+)\s*$/m.exec(textOf(SELINUX_CONFIG)) ?? [];
  return readPolicy(textOf(`/etc/selinux/${name}/contexts/lxc_contexts`));
}

const textOf = (path: string): string => (existsSync(path) ? readFileSync(path, "utf8") : "");

export function readNodeFacts(hello: HelperHelloResult, config: Pick<Config, "containerPidsLimit" | "selinux">): NodeFacts {
  const capabilities = nodeCapabilities();
  const cgroupV2 = hello.cgroupMode === CgroupMode.CGROUP_MODE_V2;
  return {
    cgroupV2,
    swapAccounting: cgroupV2 || existsSync(join(hello.cgroupMount, "memory/memory.memsw.limit_in_bytes")),
    hugepages: hello.cgroupControllers.includes("hugetlb"),
    ownOomScoreAdj: Number(readFileSync("/proc/self/oom_score_adj", "utf8")),
    mayLowerOomScore: capabilities.has("CAP_SYS_RESOURCE"),
    defaultPidsLimit: config.containerPidsLimit,
    selinux: config.selinux ? selinuxPolicy() : undefined,
    capabilities,
    hostname: hostname(),
  };
}
