// Fields of the CRI that are read and have no effect here: told as warnings, or refused where the node is strict.
import {
  type ContainerConfig,
  type LinuxContainerSecurityContext,
  type PodSandboxConfig,
  type SecurityProfile,
  SecurityProfile_ProfileType,
} from "../../generated/cri/runtime/v1/api.ts";
import { AgentError } from "../../base/errors.ts";

export function notAppliedToSandbox({ linux, windows }: PodSandboxConfig): string[] {
  const security = linux?.securityContext;
  return [
    ...(security?.selinuxOptions === undefined ? [] : ["selinux_options: no label is set"]),
    ...(linux?.overhead === undefined ? [] : ["overhead: it is not added to the pod's limits"]),
    ...(windows === undefined ? [] : ["windows: this is Linux"]),
  ];
}

export function notAppliedToContainer({ linux, mounts, windows }: ContainerConfig): string[] {
  const security = linux?.securityContext;
  return [
    ...(security === undefined ? [] : appArmor(security)),
    ...mounts.filter(({ selinuxRelabel }) => selinuxRelabel).map(({ containerPath }) => `mount ${containerPath}: no SELinux label is set`),
    ...(windows === undefined ? [] : ["windows: this is Linux"]),
  ];
}

/** No profile is ever set, so one that somebody wrote is refused; the default one is a wish that a host without AppArmor can't meet. */
function appArmor({ apparmor, apparmorProfile }: LinuxContainerSecurityContext): string[] {
  const wanted = apparmor === undefined ? apparmorProfile : profileName(apparmor);
  if (wanted === "" || wanted === "unconfined") return [];
  if (wanted === "runtime/default") return ["apparmor: no profile is set"];
  if (!wanted.startsWith("localhost/"))
    throw new AgentError("invalid-argument", `read container config: apparmor_profile ${JSON.stringify(wanted)} is not known`);
  throw new AgentError("unimplemented", `read container config: an AppArmor profile (${wanted}) is not offered yet`);
}

function profileName({ profileType, localhostRef }: SecurityProfile): string {
  if (profileType === SecurityProfile_ProfileType.Unconfined) return "unconfined";
  if (profileType === SecurityProfile_ProfileType.Localhost) return `localhost/${localhostRef}`;
  if (profileType === SecurityProfile_ProfileType.RuntimeDefault) return "runtime/default";
  throw new AgentError("invalid-argument", `read container config: AppArmor profile type ${profileType} is not known`);
}
