// What is mounted in a container, in order. Pure.
import { posix } from "node:path";
import { ETC_FILES, etcFilePath } from "../../sandbox/etc-files.ts";
import type { SandboxRecord } from "../../sandbox/records.ts";
import type { ContainerConfig, ContainerRecord, Mount, Propagation } from "../records.ts";
import { mountSource } from "../volumes.ts";
import type { OciMount } from "./oci.ts";

const PROPAGATION: Readonly<Record<Propagation, string>> = {
  private: "rprivate",
  "host-to-container": "rslave",
  bidirectional: "rshared",
};

const mount = (destination: string, type: string, source: string, ...options: string[]): OciMount => ({
  destination,
  type,
  source,
  options,
});

/** The kernel's own file systems first, then the pod's files, then the caller's; a caller's mount replaces ours at its place. */
export function containerMounts(container: Pick<ContainerRecord, "id" | "config">, sandbox: SandboxRecord): OciMount[] {
  const { config } = container;
  const taken = new Set(config.mounts.map((each) => normalized(each.containerPath)));
  const own = [...kernelMounts(config, sandbox), ...podFiles(config, sandbox)].filter((each) => !taken.has(each.destination));
  return inOrder([...own, ...config.mounts.map((each, index) => volume(each, mountSource(sandbox, container, each, index)))]);
}

/** What is above comes first, or it would hide what is below; those at one depth keep their order. */
export const inOrder = (mounts: readonly OciMount[]): OciMount[] => mounts.toSorted((a, b) => depth(a.destination) - depth(b.destination));

/** One spelling of a path in a container. */
export const normalized = (path: string): string => posix.normalize(path).replace(/(.)\/$/, "$1");
const depth = (path: string): number =>
  normalized(path)
    .split("/")
    .filter((part) => part !== "").length;

function kernelMounts(config: ContainerConfig, sandbox: SandboxRecord): OciMount[] {
  const access = config.security.privileged ? "rw" : "ro";
  const shm = sandbox.config.ipc === "node" ? "/dev/shm" : `${sandbox.stateDir}/shm`;
  return [
    mount("/proc", "proc", "proc", "nosuid", "noexec", "nodev"),
    mount("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
    mount("/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"),
    mount("/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev"),
    mount("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", access),
    mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime", access),
    mount("/dev/shm", "bind", shm, "rbind", "nosuid", "noexec", "nodev", "rw"),
  ];
}

// As writable as the root that they stand in.
function podFiles(config: ContainerConfig, sandbox: SandboxRecord): OciMount[] {
  const access = config.security.readonlyRootfs ? "ro" : "rw";
  return ETC_FILES.map((file) => mount(`/etc/${file}`, "bind", etcFilePath(sandbox, file), "rbind", "rprivate", access));
}

function volume(each: Mount, source: string): OciMount {
  return mount(
    each.containerPath,
    "bind",
    source,
    "rbind",
    PROPAGATION[each.propagation],
    each.readonly ? "ro" : "rw",
    ...(each.options ?? []),
  );
}

/** The root must pass on what a mount is to pass on. */
export function rootfsPropagation(mounts: readonly Mount[]): "rshared" | "rslave" | undefined {
  if (mounts.some((each) => each.propagation === "bidirectional")) return "rshared";
  if (mounts.some((each) => each.propagation === "host-to-container")) return "rslave";
  return undefined;
}
