// What this machine is, found out once at start.
import { existsSync, readFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import type { Config } from "../config/table.ts";
import { nodeCapabilities } from "../container/spec/capabilities.ts";
import type { NodeFacts } from "../container/spec/build-spec.ts";
import { readPolicy, type SelinuxPolicy } from "../container/spec/selinux.ts";
import { CgroupMode, type HelperHelloResult } from "../generated/berth/native/helper.ts";

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
