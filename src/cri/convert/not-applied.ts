// Fields of the CRI that are read and have no effect here: told as warnings, or refused where the node is strict.
import type { ContainerConfig, PodSandboxConfig } from "../../generated/cri/runtime/v1/api.ts";

export function notAppliedToSandbox({ linux, windows }: PodSandboxConfig): string[] {
  const security = linux?.securityContext;
  return [
    ...(security?.selinuxOptions === undefined ? [] : ["selinux_options: no label is set"]),
    ...(linux?.overhead === undefined ? [] : ["overhead: it is not added to the pod's limits"]),
    ...(windows === undefined ? [] : ["windows: this is Linux"]),
  ];
}

export function notAppliedToContainer({ mounts, windows }: ContainerConfig): string[] {
  return [
    ...mounts.filter(({ selinuxRelabel }) => selinuxRelabel).map(({ containerPath }) => `mount ${containerPath}: no SELinux label is set`),
    ...(windows === undefined ? [] : ["windows: this is Linux"]),
  ];
}
