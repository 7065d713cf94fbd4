// The kernel, and what it lets us do.
import { type Check, error, ok, warning } from "./check.ts";
import type { Facts } from "./facts.ts";

// openat2 came with 5.6, and everything that reads an image's files goes through it.
const LEAST_KERNEL = [5, 6] as const;
// cgroup.kill ends all of a cgroup at once.
const GOOD_KERNEL = [5, 14] as const;
const CONTROLLERS = ["cpu", "memory", "pids"];

/** By bit: what follows when it is missing; those without which nothing works come first. */
const NEEDED_CAPABILITIES = [
  [21, "SYS_ADMIN"],
  [12, "NET_ADMIN"],
  [5, "KILL"],
  [6, "SETGID"],
  [7, "SETUID"],
  [1, "DAC_OVERRIDE"],
  [27, "MKNOD"],
  [19, "SYS_PTRACE"],
] as const;
const SYS_RESOURCE = 24;

export function checkKernel(facts: Facts): Check[] {
  return [
    user(facts),
    release(facts),
    overlay(facts),
    ...cgroups(facts),
    seccomp(facts),
    pressure(facts),
    userNamespaces(facts),
    ...capabilities(facts),
  ];
}

const user = ({ uid }: Facts): Check => (uid === 0 ? ok("user", "root") : error("user", `uid ${uid}`, "berthd needs root: use sudo"));

function release({ kernelRelease }: Facts): Check {
  const [major = 0, minor = 0] = kernelRelease.split(/[.-]/).map(Number);
  const isOlder = ([wantedMajor, wantedMinor]: readonly [number, number]): boolean =>
    major < wantedMajor || (major === wantedMajor && minor < wantedMinor);
  if (isOlder(LEAST_KERNEL))
    return error("kernel", kernelRelease, `openat2 and pidfds need ${LEAST_KERNEL.join(".")}: take a newer kernel`);
  if (isOlder(GOOD_KERNEL))
    return warning("kernel", kernelRelease, `before ${GOOD_KERNEL.join(".")} the processes of a pod are killed one by one`);
  return ok("kernel", kernelRelease);
}

const overlay = ({ fileSystems }: Facts): Check =>
  fileSystems.includes("overlay")
    ? ok("overlayfs", "there")
    : warning("overlayfs", "not loaded", "it is loaded by the first container where its module is installed: `modprobe overlay` tells");

function cgroups({ cgroupMode, cgroupControllers }: Facts): Check[] {
  if (cgroupMode === "none") return [error("cgroups", "not mounted", "mount cgroup2 at /sys/fs/cgroup")];
  const missing = CONTROLLERS.filter((name) => !cgroupControllers.includes(name));
  const mode =
    cgroupMode === "v2"
      ? ok("cgroups", "v2")
      : warning("cgroups", cgroupMode, "pressure and disk figures are v2's alone: boot with systemd.unified_cgroup_hierarchy=1");
  if (missing.length === 0) return [mode, ok("cgroup controllers", CONTROLLERS.join(", "))];
  return [
    mode,
    error("cgroup controllers", `without ${missing.join(", ")}`, "such limits can't be applied: enable them on the kernel's command line"),
  ];
}

const seccomp = ({ hasSeccomp }: Facts): Check =>
  hasSeccomp
    ? ok("seccomp", "there")
    : error("seccomp", "not there", "containers and the unpacker are filtered: take a kernel with CONFIG_SECCOMP_FILTER");

const pressure = ({ hasPressure }: Facts): Check =>
  hasPressure ? ok("pressure", "there") : warning("pressure", "not there", "pressure is left out of usage: boot with psi=1");

const userNamespaces = ({ maxUserNamespaces }: Facts): Check =>
  maxUserNamespaces > 0
    ? ok("user namespaces", `up to ${maxUserNamespaces}`)
    : warning("user namespaces", "switched off", "pods can't have one: set user.max_user_namespaces");

function capabilities({ capabilities: held }: Facts): Check[] {
  const has = (bit: number): boolean => ((held >> BigInt(bit)) & 1n) === 1n;
  const missing = NEEDED_CAPABILITIES.filter(([bit]) => !has(bit)).map(([, name]) => name);
  const needed =
    missing.length === 0
      ? ok("capabilities", "enough")
      : error("capabilities", `without ${missing.join(", ")}`, "run berthd on the node itself, or give its container these");
  if (has(SYS_RESOURCE)) return [needed];
  const advice = "an oom_score_adj below berthd's own and raised rlimits can't be applied, and are warned of";
  return [needed, warning("capability SYS_RESOURCE", "missing", advice)];
}
