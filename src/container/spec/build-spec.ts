// Builds the OCI runtime spec of a container. Pure: everything it needs is given.
import { join } from "node:path";
import { shortId } from "../../base/ids.ts";
import type { ImageConfig } from "../../image/image-config.ts";
import type { SandboxRecord } from "../../sandbox/records.ts";
import type { ContainerRecord } from "../records.ts";
import { processCapabilities } from "./capabilities.ts";
import { addCdi, withCdiProcess } from "./cdi-change.ts";
import { containerMounts, rootfsPropagation } from "./mounts.ts";
import type { OciLinux, OciProcess, OciSpec } from "./oci.ts";
import { processArgs, processEnv, workingDirectory } from "./process.ts";
import { type NodeLimits, ociResources, oomScoreAdj } from "./resources.ts";
import { containerSeccomp } from "./seccomp.ts";
import { type SelinuxPolicy, selinuxLabels } from "./selinux.ts";

export interface NodeFacts extends NodeLimits {
  readonly hostname: string;
  readonly capabilities: ReadonlySet<string>;
  /** undefined: containers get no SELinux labels here */
  readonly selinux?: SelinuxPolicy | undefined;
}

/** A container's own, the node's, or that of a process, by its number on the node. */
export type PidNamespace = "own" | "node" | { readonly of: number };

/** @param pid by default what says least; only a spec that is run has to name the right one */
export function buildSpec(
  container: ContainerRecord,
  sandbox: SandboxRecord,
  image: ImageConfig,
  node: NodeFacts,
  pid: PidNamespace = "own",
): { spec: OciSpec; warnings: string[] } {
  const { config } = container;
  const { resources, warnings } = ociResources(config.resources, config.security.privileged, node);
  const spec: OciSpec = {
    ociVersion: "1.0.2",
    process: {
      ...ociProcess(container, sandbox, image, node, config.tty === true),
      oomScoreAdj: oomScoreAdj(config.resources.oomScoreAdj, node, warnings),
    },
    root: { path: "rootfs", readonly: config.security.readonlyRootfs },
    mounts: containerMounts(container, sandbox),
    linux: {
      namespaces: namespaces(sandbox, node, pid),
      cgroupsPath: container.cgroupPath,
      resources,
      maskedPaths: config.security.privileged ? [] : [...config.security.maskedPaths],
      readonlyPaths: config.security.privileged ? [] : [...config.security.readonlyPaths],
    },
  };
  const { userNamespace } = sandbox.config;
  if (userNamespace !== undefined) {
    // The namespace is joined, and has its mappings; runtimes want to be told of them too.
    const mapping = { containerID: 0, hostID: userNamespace.firstHostId, size: userNamespace.count };
    spec.linux.uidMappings = [mapping];
    spec.linux.gidMappings = [mapping];
  }
  const propagation = rootfsPropagation(config.mounts);
  if (propagation !== undefined) spec.linux.rootfsPropagation = propagation;
  const devices = container.devices ?? [];
  if (devices.length > 0) spec.linux.devices = devices.map(({ permissions: _cgroup, ...device }) => device);
  if (!config.security.privileged) {
    for (const { type, major, minor, permissions } of devices)
      resources.devices.push({ allow: true, type, major, minor, access: permissions });
  }
  const seccomp = containerSeccomp(config.security, container.seccompFilter, spec.process.capabilities.bounding);
  if (seccomp !== undefined) spec.linux.seccomp = seccomp;
  const labels = labelsOf(container, node);
  if (labels !== undefined) spec.linux.mountLabel = labels.mount;
  else if (config.security.selinux !== undefined) warnings.push("selinux_options: no label is set");
  if (container.cdi !== undefined) addCdi(spec, container.cdi, container);
  return { spec, warnings: [...(config.notApplied ?? []), ...warnings] };
}

/** What `hostname` says in the container. */
const hostnameOf = (sandbox: SandboxRecord, node: NodeFacts): string =>
  sandbox.config.network === "host" ? node.hostname : sandbox.config.hostname || shortId(sandbox.id);

/** The process of an exec: the container's own, with another command. */
export function execProcess(
  container: ContainerRecord,
  sandbox: SandboxRecord,
  image: ImageConfig,
  node: NodeFacts,
  args: readonly string[],
  tty = false,
): OciProcess {
  return ociProcess({ ...container, config: { ...container.config, command: args, args: [] } }, sandbox, image, node, tty);
}

function ociProcess(container: ContainerRecord, sandbox: SandboxRecord, image: ImageConfig, node: NodeFacts, tty: boolean): OciProcess {
  const { config, user, cdi } = container;
  const process: OciProcess = {
    terminal: tty,
    user: { uid: user.uid, gid: user.gid, additionalGids: [...user.additionalGids] },
    args: processArgs(config, image),
    env: processEnv(config, image, { hostname: hostnameOf(sandbox, node), tty, home: user.home }),
    cwd: workingDirectory(config, image),
    capabilities: processCapabilities(config.security, node.capabilities),
    noNewPrivileges: config.security.noNewPrivileges,
    ...(container.appArmorProfile === undefined ? {} : { apparmorProfile: container.appArmorProfile }),
  };
  const label = labelsOf(container, node)?.process ?? "";
  if (label !== "") process.selinuxLabel = label;
  return cdi === undefined ? process : withCdiProcess(process, cdi);
}

function labelsOf({ config: { security } }: ContainerRecord, { selinux }: NodeFacts) {
  if (security.selinux === undefined || selinux === undefined) return undefined;
  return selinuxLabels(security.selinux, security.privileged, selinux);
}

/** In the shim's mount namespace. */
const userNamespacePath = (stateDir: string): string => join(stateDir, "userns");

function namespaces(sandbox: SandboxRecord, node: NodeFacts, pid: PidNamespace): OciLinux["namespaces"] {
  // The shim is in the pod's namespaces, and lives as long as the pod: joining means joining its.
  const shared = `/proc/${sandbox.shim?.pid ?? 0}/ns`;
  const list: OciLinux["namespaces"] = [{ type: "mount" }];
  if (sandbox.config.userNamespace !== undefined) list.push({ type: "user", path: userNamespacePath(sandbox.stateDir) });
  if (pid !== "node") list.push(pid === "own" ? { type: "pid" } : { type: "pid", path: `/proc/${pid.of}/ns/pid` });
  if (sandbox.config.network !== "host") list.push({ type: "network", path: `${shared}/net` }, { type: "uts", path: `${shared}/uts` });
  if (sandbox.config.ipc === "pod") list.push({ type: "ipc", path: `${shared}/ipc` });
  // Under v1 containers see the node's cgroup paths, as with other runtimes; under v2 each has a namespace of its own.
  if (node.cgroupV2) list.push({ type: "cgroup" });
  return list;
}
