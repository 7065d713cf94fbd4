// PodSandboxConfig → domain, checked: what is refused is refused here, before anything is made.
import { AgentError } from "../../base/errors.ts";
import { NamespaceMode, type PodSandboxConfig } from "../../generated/cri/runtime/v1/api.ts";
import type { DnsConfig, NamespaceSource, NetworkMode, PidMode, SandboxConfig } from "../../sandbox/records.ts";
import { notAppliedToSandbox } from "./not-applied.ts";
import { toHostPorts } from "./port-mappings.ts";
import { toResources } from "./resources.ts";
import { checkOwnNamespaces, toUserNamespace } from "./user-namespace.ts";

/** On a pod: "none" gives it loopback only. */
const NETWORK_ANNOTATION = "berth.io/network";
/** On a pod: "true" has its logs rotated by us. A kubelet rotates its pods' logs itself. */
const ROTATE_LOGS_ANNOTATION = "berth.io/rotate-logs";

const invalid = (message: string): AgentError => new AgentError("invalid-argument", `read pod sandbox config: ${message}`);

export function toSandboxConfig(proto: PodSandboxConfig | undefined, runtimeHandler: string): SandboxConfig {
  if (proto === undefined) throw invalid("config is missing");
  const { metadata, linux } = proto;
  if (metadata === undefined || metadata.name === "" || metadata.namespace === "" || metadata.uid === "") {
    throw invalid("metadata needs a name, a namespace and a uid");
  }
  const security = linux?.securityContext;
  const options = security?.namespaceOptions;
  const userNamespace = toUserNamespace("read pod sandbox config", options?.usernsOptions);
  if (userNamespace !== undefined && options !== undefined) checkOwnNamespaces("read pod sandbox config", options);
  if (proto.logDirectory !== "" && !proto.logDirectory.startsWith("/"))
    throw invalid(`log_directory ${JSON.stringify(proto.logDirectory)} is not absolute`);
  if (/(^|\/)\.\.(\/|$)|[\0\n]/.test(proto.logDirectory))
    throw invalid(`log_directory ${JSON.stringify(proto.logDirectory)} leads upwards, or holds a line break`);
  const network = toNetworkMode(options?.network ?? NamespaceMode.POD, proto.annotations);
  return {
    metadata,
    hostname: toHostname(proto.hostname, network, metadata.name),
    logDirectory: proto.logDirectory,
    rotateLogs: toRotateLogs(proto.annotations),
    dns: toDns(proto.dnsConfig),
    labels: proto.labels,
    annotations: proto.annotations,
    cgroupParent: toCgroupParent(linux?.cgroupParent ?? ""),
    network,
    hostPorts: toHostPorts(proto.portMappings, network),
    ipc: toSource("ipc", options?.ipc ?? NamespaceMode.POD),
    pid: toPidMode(options?.pid ?? NamespaceMode.POD),
    userNamespace,
    sysctls: linux?.sysctls ?? {},
    resources: linux?.resources === undefined ? undefined : toResources(linux.resources),
    overhead: linux?.overhead === undefined ? undefined : toResources(linux.overhead),
    privileged: security?.privileged ?? false,
    runtimeHandler,
    notApplied: notAppliedToSandbox(proto),
  };
}

/** Each becomes a word of a line of resolv.conf, and not a line of its own. */
function toDns({ servers, searches, options }: DnsConfig = { servers: [], searches: [], options: [] }): DnsConfig {
  const bad = [...servers, ...searches, ...options].find((word) => word === "" || /[\s\0]/.test(word));
  if (bad !== undefined) throw invalid(`dns_config has ${JSON.stringify(bad)}, which is no word of resolv.conf`);
  return { servers, searches, options };
}

function toNetworkMode(mode: NamespaceMode, annotations: Readonly<Record<string, string>>): NetworkMode {
  if (mode === NamespaceMode.NODE) return "host";
  if (mode !== NamespaceMode.POD) throw invalid(`network namespace mode ${mode} is not POD or NODE`);
  const wanted = annotations[NETWORK_ANNOTATION] ?? "";
  if (wanted === "none") return "closed";
  if (wanted === "") return "bridge";
  throw invalid(`annotation ${NETWORK_ANNOTATION} ${JSON.stringify(wanted)} is not "none"`);
}

function toRotateLogs(annotations: Readonly<Record<string, string>>): boolean {
  const wanted = annotations[ROTATE_LOGS_ANNOTATION] ?? "false";
  if (wanted !== "true" && wanted !== "false")
    throw invalid(`annotation ${ROTATE_LOGS_ANNOTATION} ${JSON.stringify(wanted)} is neither "true" nor "false"`);
  return wanted === "true";
}

function toSource(what: string, mode: NamespaceMode): NamespaceSource {
  if (mode === NamespaceMode.NODE) return "node";
  if (mode === NamespaceMode.POD) return "pod";
  throw invalid(`${what} namespace mode ${mode} is not POD or NODE`);
}

function toPidMode(mode: NamespaceMode): PidMode {
  if (mode === NamespaceMode.CONTAINER) return "container";
  if (mode === NamespaceMode.NODE) return "node";
  if (mode === NamespaceMode.POD) return "pod";
  throw invalid(`pid namespace mode ${mode} is not POD, CONTAINER or NODE`);
}

function toHostname(hostname: string, network: NetworkMode, podName: string): string {
  if (network === "host") return "";
  const name = hostname === "" ? podName.slice(0, 63) : hostname;
  if (Buffer.byteLength(name) > 64 || !/^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/.test(name)) {
    throw invalid(`hostname ${JSON.stringify(name)} is no host name of at most 64 characters`);
  }
  return name;
}

function toCgroupParent(path: string): string {
  if (path === "") return "";
  const parts = path.split("/").filter((part) => part !== "");
  const bad = parts.some((part) => part === ".." || part === "." || /[\0\n]/.test(part));
  if (bad || parts.length === 0 || path.length > 1024) throw invalid(`cgroup_parent ${JSON.stringify(path)} is no path of a cgroup`);
  return `/${parts.join("/")}`;
}
