// Which capabilities a container's process gets. Pure but for the list of what the node itself has.
import { readFileSync } from "node:fs";
import { AgentError } from "../../base/errors.ts";
import type { ContainerSecurity } from "../records.ts";
import type { OciProcess } from "./oci.ts";

// By number. @source capabilities(7), include/uapi/linux/capability.h
export const CAPABILITIES: readonly string[] = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_DAC_READ_SEARCH",
  "CAP_FOWNER",
  "CAP_FSETID",
  "CAP_KILL",
  "CAP_SETGID",
  "CAP_SETUID",
  "CAP_SETPCAP",
  "CAP_LINUX_IMMUTABLE",
  "CAP_NET_BIND_SERVICE",
  "CAP_NET_BROADCAST",
  "CAP_NET_ADMIN",
  "CAP_NET_RAW",
  "CAP_IPC_LOCK",
  "CAP_IPC_OWNER",
  "CAP_SYS_MODULE",
  "CAP_SYS_RAWIO",
  "CAP_SYS_CHROOT",
  "CAP_SYS_PTRACE",
  "CAP_SYS_PACCT",
  "CAP_SYS_ADMIN",
  "CAP_SYS_BOOT",
  "CAP_SYS_NICE",
  "CAP_SYS_RESOURCE",
  "CAP_SYS_TIME",
  "CAP_SYS_TTY_CONFIG",
  "CAP_MKNOD",
  "CAP_LEASE",
  "CAP_AUDIT_WRITE",
  "CAP_AUDIT_CONTROL",
  "CAP_SETFCAP",
  "CAP_MAC_OVERRIDE",
  "CAP_MAC_ADMIN",
  "CAP_SYSLOG",
  "CAP_WAKE_ALARM",
  "CAP_BLOCK_SUSPEND",
  "CAP_AUDIT_READ",
  "CAP_PERFMON",
  "CAP_BPF",
  "CAP_CHECKPOINT_RESTORE",
];

// What Docker, containerd and CRI-O users expect to have.
const DEFAULT_CAPABILITIES: readonly string[] = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_FSETID",
  "CAP_FOWNER",
  "CAP_MKNOD",
  "CAP_NET_RAW",
  "CAP_SETGID",
  "CAP_SETUID",
  "CAP_SETFCAP",
  "CAP_SETPCAP",
  "CAP_NET_BIND_SERVICE",
  "CAP_SYS_CHROOT",
  "CAP_KILL",
  "CAP_AUDIT_WRITE",
];

/** What this process could hand on: a runtime refuses to start with more. */
export function nodeCapabilities(): ReadonlySet<string> {
  const line = /^CapBnd:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"));
  const bits = BigInt(`0x${line?.[1] ?? "0"}`);
  return new Set(CAPABILITIES.filter((_name, bit) => (bits & (1n << BigInt(bit))) !== 0n));
}

/**
 * @param available of the node; what it lacks is left out where it comes from a default, "ALL" or privileged
 * @throws AgentError invalid-argument for a name that is no capability, failed-precondition for one named that the node lacks
 */
export function processCapabilities(security: ContainerSecurity, available: ReadonlySet<string>): OciProcess["capabilities"] {
  const add = security.addCapabilities.map(capabilityName);
  const drop = security.dropCapabilities.map(capabilityName);
  const ambient = security.ambientCapabilities.map(capabilityName);
  let granted = new Set(
    security.privileged || add.includes("ALL") ? available : DEFAULT_CAPABILITIES.filter((name) => available.has(name)),
  );
  if (drop.includes("ALL")) granted = new Set(add.includes("ALL") ? available : []);
  for (const name of [...add, ...ambient].filter((each) => each !== "ALL")) {
    if (!available.has(name)) throw new AgentError("failed-precondition", `add capability ${name}: this node does not have it to give`);
    granted.add(name);
  }
  // A name in both lists is dropped, as with containerd and CRI-O.
  for (const name of drop) granted.delete(name);
  // Privileged is the last word, as in Docker: it can't be taken back piece by piece.
  const list = security.privileged ? [...available] : [...granted];
  // Nothing is inheritable but what is ambient: a non-empty set would give capabilities to programs of other users.
  const kept = ambient.filter((name) => list.includes(name));
  return { bounding: list, effective: list, permitted: list, inheritable: kept, ambient: kept };
}

function capabilityName(text: string): string {
  const upper = text.toUpperCase();
  if (upper === "ALL") return upper;
  const name = upper.startsWith("CAP_") ? upper : `CAP_${upper}`;
  if (!CAPABILITIES.includes(name))
    throw new AgentError("invalid-argument", `read capability ${JSON.stringify(text)}: there is no such capability`);
  return name;
}
