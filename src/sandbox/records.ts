// What is kept on disk of a pod sandbox.
import type { SandboxId } from "../base/ids.ts";
import type { Stage } from "../base/timeline.ts";
import type { HostPortMapping } from "../network/host-ports.ts";
import type { SandboxState } from "./state.ts";

/** bridge: an address on this node's network; closed: loopback only; host: the node's own stack. */
export type NetworkMode = "bridge" | "closed" | "host";

/** Where a namespace comes from: the pod's own, or the node's. */
export type NamespaceSource = "pod" | "node";

/** container: each has its own; pod: one for all that ask for it, made when the first does; node: the node's. */
export type PidMode = "container" | "pod" | "node";

export interface SandboxMetadata {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly attempt: number;
}

export interface DnsConfig {
  readonly servers: readonly string[];
  readonly searches: readonly string[];
  readonly options: readonly string[];
}

/** Limits as the CRI has them; undefined leaves the kernel's default. */
export interface Resources {
  readonly cpuPeriodMicros?: bigint;
  readonly cpuQuotaMicros?: bigint;
  readonly cpuShares?: bigint;
  readonly memoryLimitBytes?: bigint;
  readonly memorySwapLimitBytes?: bigint;
  readonly pidsLimit?: bigint;
  readonly cpusetCpus?: string;
  readonly cpusetMems?: string;
  readonly oomScoreAdj: number;
  /** bytes by page size, "2MB"; records of older versions have none */
  readonly hugepageLimits?: Readonly<Record<string, bigint>>;
  /** cgroup v2 files and their values */
  readonly unified: Readonly<Record<string, string>>;
}

/** Ids 0 to count - 1 of the pod, of users and of groups, are those from firstHostId on of the node. */
export interface UserNamespace {
  readonly firstHostId: number;
  readonly count: number;
}

export interface SandboxConfig {
  readonly metadata: SandboxMetadata;
  readonly hostname: string;
  readonly logDirectory: string;
  /** logs are rotated by us, and not by the caller; records of older versions say nothing, and their logs are not */
  readonly rotateLogs?: boolean;
  readonly dns: DnsConfig;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly cgroupParent: string;
  readonly network: NetworkMode;
  /** records of older versions have none */
  readonly hostPorts?: readonly HostPortMapping[];
  readonly ipc: NamespaceSource;
  /** as the caller asked; what a container has it says itself */
  readonly pid: PidMode;
  /** undefined: the node's own ids */
  readonly userNamespace?: UserNamespace | undefined;
  readonly sysctls: Readonly<Record<string, string>>;
  readonly resources: Resources | undefined;
  /** what the pod needs besides its containers; records of older versions have none */
  readonly overhead?: Resources | undefined;
  readonly privileged: boolean;
  readonly runtimeHandler: string;
  /** what was asked for and has no effect here; records of older versions have none */
  readonly notApplied?: readonly string[];
}

/** The process that owns the pod's namespaces; pid and start time name it for ever. */
export interface ShimIdentity {
  readonly pid: number;
  readonly startTicks: bigint;
}

export interface SandboxRecord {
  readonly id: SandboxId;
  readonly state: SandboxState;
  readonly config: SandboxConfig;
  readonly createdAtNanos: bigint;
  /** kernel boot in which it was made; after another boot nothing of it exists */
  readonly bootId: string;
  readonly stateDir: string;
  /** its files in /etc are in a bounded place of their own; records of older versions have none */
  readonly hasOwnEtc?: boolean;
  readonly socketPath: string;
  readonly cgroupPath: string;
  /** an ancestor of the cgroup that goes with it when it became empty; "" for none */
  readonly cgroupPrune: string;
  readonly cgroupOwned: boolean;
  readonly shim: ShimIdentity | undefined;
  /** what serves the pod's host ports on loopback; it ends with the shim */
  readonly portProxy?: ShimIdentity | undefined;
  /** the pod's address, kept after the endpoint is gone only while ready; "" for none */
  readonly address: string;
  /** of the other family, where its network has two */
  readonly additionalAddresses?: readonly string[];
  readonly stages: readonly Stage[];
  readonly warnings: readonly string[];
}

/** "name/namespace/uid/attempt" is unique among sandboxes. */
export const sandboxKey = (metadata: SandboxMetadata): string =>
  [metadata.namespace, metadata.name, metadata.uid, metadata.attempt].map((part) => encodeURIComponent(part)).join("/");

/** All of its addresses, the one that it is known by first. */
export const podAddresses = ({ address, additionalAddresses = [] }: SandboxRecord): string[] =>
  address === "" ? [] : [address, ...additionalAddresses];
