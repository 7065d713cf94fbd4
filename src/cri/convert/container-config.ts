// ContainerConfig → domain, checked: what is refused is refused here, before anything is made.
import { AgentError } from "../../base/errors.ts";
import { askedDevices } from "../../container/cdi/device-name.ts";
import type { ContainerConfig, ContainerPidMode, ContainerSecurity, SeccompChoice, SelinuxOptions } from "../../container/records.ts";
import {
  type ContainerConfig as ContainerConfigProto,
  type LinuxContainerSecurityContext,
  NamespaceMode,
  type NamespaceOption,
  type SecurityProfile,
  type SELinuxOption,
  SecurityProfile_ProfileType,
  SupplementalGroupsPolicy,
} from "../../generated/cri/runtime/v1/api.ts";
import { toAppArmor } from "./apparmor.ts";
import { toMounts } from "./mounts.ts";
import { notAppliedToContainer } from "./not-applied.ts";
import { toResources } from "./resources.ts";
import { toSignalName } from "./stop-signal.ts";
import { toUserNamespace } from "./user-namespace.ts";

const invalid = (message: string): AgentError => new AgentError("invalid-argument", `read container config: ${message}`);

export function toContainerConfig(proto: ContainerConfigProto | undefined): ContainerConfig {
  if (proto === undefined) throw invalid("config is missing");
  if (proto.metadata === undefined || proto.metadata.name === "") throw invalid("metadata needs a name");
  if (proto.image === undefined || proto.image.image === "") throw invalid("image is missing");
  if (/(^|\/)\.\.(\/|$)|[\0\n]/.test(proto.logPath) || proto.logPath.startsWith("/"))
    throw invalid(`log_path ${JSON.stringify(proto.logPath)} leaves the log directory`);
  return {
    name: proto.metadata.name,
    attempt: proto.metadata.attempt,
    image: proto.image.image,
    userSpecifiedImage: proto.image.userSpecifiedImage,
    command: proto.command,
    args: proto.args,
    workingDir: proto.workingDir,
    envs: proto.envs.map(({ key, value }) => [key, Buffer.from(value).toString("utf8")] as const),
    mounts: toMounts(proto.mounts),
    labels: proto.labels,
    annotations: proto.annotations,
    tty: proto.tty,
    stdin: proto.stdin,
    stdinOnce: proto.stdinOnce,
    logPath: proto.logPath,
    resources: toResources(proto.linux?.resources),
    devices: proto.devices.map(({ hostPath, containerPath, permissions }) => ({ hostPath, containerPath, permissions })),
    cdiDevices: askedDevices(
      proto.CDIDevices.map(({ name }) => name),
      proto.annotations,
    ),
    stopSignal: toSignalName(proto.stopSignal),
    security: toSecurity(proto.linux?.securityContext),
    notApplied: notAppliedToContainer(proto),
  };
}

function toSecurity(proto: LinuxContainerSecurityContext | undefined): ContainerSecurity {
  return {
    privileged: proto?.privileged ?? false,
    userNamespace: toUserNamespace("read container config", proto?.namespaceOptions?.usernsOptions),
    ...toPid(proto?.namespaceOptions),
    addCapabilities: proto?.capabilities?.addCapabilities ?? [],
    dropCapabilities: proto?.capabilities?.dropCapabilities ?? [],
    ambientCapabilities: proto?.capabilities?.addAmbientCapabilities ?? [],
    runAsUser: proto?.runAsUser?.value,
    runAsGroup: proto?.runAsGroup?.value,
    runAsUsername: proto?.runAsUsername ?? "",
    supplementalGroups: (proto?.supplementalGroups ?? []).map(toGid),
    groupsPolicy: toGroupsPolicy(proto?.supplementalGroupsPolicy ?? SupplementalGroupsPolicy.Merge),
    readonlyRootfs: proto?.readonlyRootfs ?? false,
    noNewPrivileges: proto?.noNewPrivs ?? false,
    maskedPaths: proto?.maskedPaths ?? [],
    readonlyPaths: proto?.readonlyPaths ?? [],
    selinux: toSelinux(proto?.selinuxOptions),
    appArmor: toAppArmor(proto),
    seccomp: toSeccomp(proto?.seccomp, proto?.seccompProfilePath ?? ""),
  };
}

/** A part becomes one of a label, and nothing beside it. Options that say nothing ask for nothing. */
function toSelinux(options: SELinuxOption | undefined): SelinuxOptions | undefined {
  const { user = "", role = "", type = "", level = "" } = options ?? {};
  for (const [part, value] of Object.entries({ user, role, type })) {
    if (!/^[A-Za-z0-9_.-]{0,255}$/.test(value))
      throw invalid(`selinux_options: ${part} ${JSON.stringify(value.slice(0, 300))} is no part of a label`);
  }
  if (!/^[A-Za-z0-9_.:,-]{0,1024}$/.test(level)) throw invalid(`selinux_options: level ${JSON.stringify(level.slice(0, 300))} is no level`);
  return user + role + type + level === "" ? undefined : { user, role, type, level };
}

const SECCOMP: ReadonlyMap<number, (path: string) => SeccompChoice> = new Map([
  [SecurityProfile_ProfileType.RuntimeDefault, () => ({ kind: "runtime-default" })],
  [SecurityProfile_ProfileType.Unconfined, () => ({ kind: "unconfined" })],
  [SecurityProfile_ProfileType.Localhost, localhostSeccomp],
]);

const SECCOMP_TEXT: Readonly<Record<string, SeccompChoice>> = {
  "": { kind: "unconfined" },
  unconfined: { kind: "unconfined" },
  "runtime/default": { kind: "runtime-default" },
  "docker/default": { kind: "runtime-default" },
};

/** @param text the deprecated way to say it, which counts only where the profile is absent */
function toSeccomp(profile: SecurityProfile | undefined, text: string): SeccompChoice {
  if (profile !== undefined) {
    const choice = SECCOMP.get(profile.profileType);
    if (choice === undefined) throw invalid(`seccomp profile type ${profile.profileType} is not known`);
    return choice(profile.localhostRef);
  }
  const known = Object.hasOwn(SECCOMP_TEXT, text) ? SECCOMP_TEXT[text] : undefined;
  if (known !== undefined) return known;
  if (!text.startsWith("localhost/")) throw invalid(`seccomp_profile_path ${JSON.stringify(text)} is not known`);
  return localhostSeccomp(text.slice("localhost/".length));
}

function localhostSeccomp(path: string): SeccompChoice {
  if (!path.startsWith("/") || path.includes("\0")) throw invalid(`seccomp profile ${JSON.stringify(path)} is no absolute path`);
  return { kind: "localhost", path };
}

const PID: ReadonlyMap<number, ContainerPidMode> = new Map([
  [NamespaceMode.POD, "pod"],
  [NamespaceMode.CONTAINER, "container"],
  [NamespaceMode.NODE, "node"],
  [NamespaceMode.TARGET, "target"],
]);

/** Who says nothing of namespaces wants no sharing; in options that are there, the zero value is the pod's. */
function toPid(options: NamespaceOption | undefined): Pick<ContainerSecurity, "pid" | "pidTarget"> {
  if (options === undefined) return { pid: "container", pidTarget: "" };
  const pid = PID.get(options.pid);
  if (pid === undefined) throw invalid(`pid namespace mode ${options.pid} is not known`);
  if (pid !== "target") return { pid, pidTarget: "" };
  if (options.targetId === "") throw invalid("pid namespace mode TARGET needs a target_id");
  return { pid, pidTarget: options.targetId };
}

function toGroupsPolicy(policy: SupplementalGroupsPolicy): ContainerSecurity["groupsPolicy"] {
  if (policy === SupplementalGroupsPolicy.Merge) return "merge";
  if (policy === SupplementalGroupsPolicy.Strict) return "strict";
  throw invalid(`supplemental_groups_policy ${policy} is not known`);
}

function toGid(gid: bigint): number {
  if (gid < 0n || gid >= 2n ** 31n) throw invalid(`supplemental group ${gid} is not within 0 to 2147483647`);
  return Number(gid);
}
