// What is kept on disk of a container.
import type { ContainerId, SandboxId } from "../base/ids.ts";
import type { Stage } from "../base/timeline.ts";
import type { PidMode, Resources, UserNamespace } from "../sandbox/records.ts";
import type { CdiChange } from "./cdi/resolve-edits.ts";
import type { OciSeccomp } from "./spec/oci.ts";
import type { Device, DeviceRequest } from "./devices.ts";
import type { ContainerState } from "./state.ts";

export type Propagation = "private" | "host-to-container" | "bidirectional";

export type MountOption = "noexec" | "nodev" | "nosuid";

/** An image that is mounted as a volume. */
export interface VolumeImage {
  /** as the caller named it: a reference or an id */
  readonly image: string;
  readonly userSpecifiedImage: string;
  /** a folder in it; "" is all of it */
  readonly subPath: string;
  /** of the image that it was when the container was created; undefined before */
  readonly imageId?: string;
}

export interface Mount {
  readonly containerPath: string;
  /** "" for an image */
  readonly hostPath: string;
  readonly readonly: boolean;
  readonly propagation: Propagation;
  /** of "noexec", "nodev" and "nosuid"; records of older versions have none */
  readonly options?: readonly MountOption[];
  /** what is mounted below it can't be written either */
  readonly recursiveReadOnly?: boolean;
  readonly image?: VolumeImage | undefined;
  /** ids on disk are those of this user namespace, which is the pod's; undefined: the node's */
  readonly ids?: UserNamespace | undefined;
}

/** Which system calls are allowed, as asked for; `path` is of a profile on the node, and absolute. */
export type SeccompChoice =
  | { readonly kind: "unconfined" }
  | { readonly kind: "runtime-default" }
  | { readonly kind: "localhost"; readonly path: string };

/** Parts of an SELinux label; "" leaves one to the policy. */
export interface SelinuxOptions {
  readonly user: string;
  readonly role: string;
  readonly type: string;
  readonly level: string;
}

/** Which AppArmor profile, as asked for; who says nothing gets the default one, where the node has AppArmor. */
export type AppArmorChoice =
  | { readonly kind: "unconfined" }
  | { readonly kind: "runtime-default"; readonly asked: boolean }
  | { readonly kind: "localhost"; readonly profile: string };

/** target: that of another container of the pod. */
export type ContainerPidMode = PidMode | "target";

export interface ContainerSecurity {
  readonly privileged: boolean;
  /** as asked for; undefined takes the pod's */
  readonly userNamespace?: UserNamespace | undefined;
  readonly pid: ContainerPidMode;
  /** the other container, where pid is "target" */
  readonly pidTarget: string;
  readonly addCapabilities: readonly string[];
  readonly dropCapabilities: readonly string[];
  readonly ambientCapabilities: readonly string[];
  readonly runAsUser: bigint | undefined;
  readonly runAsGroup: bigint | undefined;
  readonly runAsUsername: string;
  readonly supplementalGroups: readonly number[];
  /** strict: only the groups asked for; merge: those of the image's /etc/group too */
  readonly groupsPolicy: "merge" | "strict";
  readonly readonlyRootfs: boolean;
  readonly noNewPrivileges: boolean;
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
  /** undefined in records of before there were filters: unconfined */
  readonly seccomp?: SeccompChoice;
  /** undefined asks for no label */
  readonly selinux?: SelinuxOptions | undefined;
  /** undefined in records of before there were profiles: unconfined */
  readonly appArmor?: AppArmorChoice;
}

export interface ContainerConfig {
  readonly name: string;
  readonly attempt: number;
  /** the image as the caller named it: a reference or an id */
  readonly image: string;
  readonly userSpecifiedImage: string;
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly workingDir: string;
  readonly envs: readonly (readonly [name: string, value: string])[];
  readonly mounts: readonly Mount[];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** The process has a terminal, an input; the input ends with the first client that is attached. Records of older versions have none. */
  readonly tty?: boolean;
  readonly stdin?: boolean;
  readonly stdinOnce?: boolean;
  /** relative to the sandbox's log directory; "" writes no log */
  readonly logPath: string;
  readonly resources: Resources;
  /** as asked for; records of older versions have none */
  readonly devices?: readonly DeviceRequest[];
  /** qualified names of devices of CDI; records of older versions have none */
  readonly cdiDevices?: readonly string[];
  /** "SIGQUIT"; "" leaves it to the image */
  readonly stopSignal?: string;
  readonly security: ContainerSecurity;
  /** what was asked for and has no effect here; records of older versions have none */
  readonly notApplied?: readonly string[];
}

export interface ContainerUser {
  readonly uid: number;
  readonly gid: number;
  readonly additionalGids: readonly number[];
  /** as the image's /etc/passwd says; not of containers that an older berthd has made */
  readonly home?: string;
}

export interface ContainerRecord {
  readonly id: ContainerId;
  readonly sandboxId: SandboxId;
  readonly state: ContainerState;
  readonly config: ContainerConfig;
  readonly imageId: string;
  /** below --root: `upper` and `work` of its overlay */
  readonly writableDir: string;
  readonly cgroupPath: string;
  readonly user: ContainerUser;
  /** of a localhost profile, as its file was when the container was created */
  readonly seccompFilter?: OciSeccomp | undefined;
  /** the AppArmor profile that it runs under; undefined: unconfined */
  readonly appArmorProfile?: string | undefined;
  readonly createdAtNanos: bigint;
  /** 0n: not yet */
  readonly startedAtNanos: bigint;
  readonly finishedAtNanos: bigint;
  /** in the node's PID namespace, while running; else 0 */
  readonly pid: number;
  readonly exitCode: number;
  /** Completed, Error, OOMKilled, StartError, ShimLost, Unknown; "" while it has not exited */
  readonly reason: string;
  readonly message: string;
  /** limits as this node has applied them; undefined before the start, and in records of older versions */
  readonly appliedResources?: Resources;
  /** of the node, as they were when it was created */
  readonly devices?: readonly Device[];
  /** what its devices of CDI were then */
  readonly cdi?: CdiChange | undefined;
  readonly stages: readonly Stage[];
  readonly warnings: readonly string[];
}
