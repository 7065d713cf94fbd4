// From `berth run`'s options to what the CRI is asked for. Pure.
import {
  Capability,
  ContainerConfig,
  ContainerMetadata,
  Device,
  DNSConfig,
  ImageSpec,
  KeyValue,
  LinuxContainerConfig,
  LinuxContainerResources,
  LinuxContainerSecurityContext,
  LinuxPodSandboxConfig,
  LinuxSandboxSecurityContext,
  Mount,
  MountPropagation,
  NamespaceMode,
  NamespaceOption,
  PodSandboxConfig,
  PortMapping,
  Protocol,
  SecurityProfile,
  SecurityProfile_ProfileType as ProfileType,
} from "../generated/cri/runtime/v1/api.ts";
import { LOG_DIRECTORY_ANNOTATION, logFolder, MADE_BY_ANNOTATION, MADE_BY_RUN } from "./log-folder.ts";
import { message } from "./message.ts";
import type { Network, RunOptions } from "./run-options.ts";
import type { Volume } from "./run-volumes.ts";

const NAMESPACE = "default";
const NETWORK_ANNOTATION = "berth.io/network";
/** Of a pod that was made for one container, without a name of its own. */
export const MADE_FOR_ONE_ANNOTATION = "berth.io/made-for-one";
const ROTATE_LOGS_ANNOTATION = "berth.io/rotate-logs";
const CPU_PERIOD_MICROS = 100_000;
const SHARES_PER_CPU = 1024;
const FEWEST_SHARES = 2;
const MOST_SHARES = 262_144;

/** What of the kernel no container needs to see. @source the defaults of the kubelet and of Docker */
const MASKED_PATHS = [
  "/proc/asound",
  "/proc/acpi",
  "/proc/interrupts",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/sys/firmware",
  "/sys/devices/virtual/powercap",
];
const READONLY_PATHS = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/** @param uid random, and for this pod only */
export function podConfig(options: RunOptions, name: string, uid: string): PodSandboxConfig {
  const logDirectory = logFolder(options.logRoot, { namespace: NAMESPACE, name, uid });
  const annotations: Record<string, string> = {
    [MADE_BY_ANNOTATION]: MADE_BY_RUN,
    [LOG_DIRECTORY_ANNOTATION]: logDirectory,
    // Nobody else does.
    [ROTATE_LOGS_ANNOTATION]: "true",
  };
  if (options.pod === undefined) annotations[MADE_FOR_ONE_ANNOTATION] = "true";
  if (options.network === "none" || options.network === "closed") annotations[NETWORK_ANNOTATION] = "none";
  return message(PodSandboxConfig, {
    metadata: { name, uid, namespace: NAMESPACE, attempt: 0 },
    hostname: options.hostname ?? "",
    logDirectory,
    dnsConfig: dns(options),
    portMappings: (options.publish ?? []).map((port) => message(PortMapping, { ...port, protocol: PROTOCOLS[port.protocol] })),
    labels: Object.fromEntries(options.label ?? []),
    annotations,
    linux: message(LinuxPodSandboxConfig, {
      sysctls: Object.fromEntries(options.sysctl ?? []),
      securityContext: message(LinuxSandboxSecurityContext, {
        namespaceOptions: namespaces(options.network),
        privileged: options.privileged === true,
      }),
    }),
  });
}

export interface ContainerChoice {
  readonly name: string;
  /** how many of this name the pod has had before */
  readonly attempt: number;
  /** as the person wrote it */
  readonly image: string;
  readonly imageId: string;
  /** in place of the image's own arguments; its entrypoint stays */
  readonly command: readonly string[];
}

export function containerConfig(options: RunOptions, { name, attempt, image, imageId, command }: ContainerChoice): ContainerConfig {
  return message(ContainerConfig, {
    metadata: message(ContainerMetadata, { name, attempt }),
    image: message(ImageSpec, { image: imageId, userSpecifiedImage: image }),
    command: options.entrypoint === undefined ? [] : [options.entrypoint],
    args: [...command],
    workingDir: options.workdir ?? "",
    envs: (options.env ?? []).map(([key, value]) => message(KeyValue, { key, value: Buffer.from(value) })),
    mounts: [...(options.volume ?? []), ...(options.mount ?? [])].map(mount),
    devices: (options.device ?? []).map((device) => message(Device, { ...device })),
    labels: Object.fromEntries(options.label ?? []),
    logPath: `${name}/${attempt}.log`,
    linux: message(LinuxContainerConfig, { resources: resources(options), securityContext: security(options) }),
  });
}

const PROTOCOLS = { tcp: Protocol.TCP, udp: Protocol.UDP, sctp: Protocol.SCTP } as const;

const PROPAGATION = {
  private: MountPropagation.PROPAGATION_PRIVATE,
  rslave: MountPropagation.PROPAGATION_HOST_TO_CONTAINER,
  rshared: MountPropagation.PROPAGATION_BIDIRECTIONAL,
} as const;

const mount = (volume: Volume): Mount => message(Mount, { ...volume, propagation: PROPAGATION[volume.propagation] });

/** The node's own where nothing is asked for. */
function dns({ dns: servers = [], dnsSearch: searches = [] }: RunOptions): DNSConfig | undefined {
  return servers.length + searches.length === 0 ? undefined : message(DNSConfig, { servers: [...servers], searches: [...searches] });
}

/** Of a person's container none is unconfined by default. */
function seccomp({ seccomp = "default", privileged }: RunOptions): SecurityProfile {
  if (privileged === true || seccomp === "unconfined") return message(SecurityProfile, { profileType: ProfileType.Unconfined });
  if (seccomp === "default") return message(SecurityProfile, { profileType: ProfileType.RuntimeDefault });
  return message(SecurityProfile, { profileType: ProfileType.Localhost, localhostRef: seccomp });
}

/** Without a word of it the node decides: its default where it has AppArmor, for all but privileged containers. */
function apparmor({ apparmor }: RunOptions): SecurityProfile | undefined {
  if (apparmor === undefined) return undefined;
  if (apparmor === "unconfined") return message(SecurityProfile, { profileType: ProfileType.Unconfined });
  if (apparmor === "default") return message(SecurityProfile, { profileType: ProfileType.RuntimeDefault });
  return message(SecurityProfile, { profileType: ProfileType.Localhost, localhostRef: apparmor });
}

function resources({ memory, cpus, pids }: RunOptions): LinuxContainerResources {
  const limits: Partial<LinuxContainerResources> = {};
  if (memory !== undefined) limits.memoryLimitInBytes = memory;
  if (cpus !== undefined) {
    limits.cpuPeriod = BigInt(CPU_PERIOD_MICROS);
    limits.cpuQuota = BigInt(Math.round(cpus * CPU_PERIOD_MICROS));
    limits.cpuShares = BigInt(Math.min(MOST_SHARES, Math.max(FEWEST_SHARES, Math.round(cpus * SHARES_PER_CPU))));
  }
  // The CRI has no field of its own for it.
  if (pids !== undefined) limits.unified = { "pids.max": String(pids) };
  return message(LinuxContainerResources, limits);
}

function security(options: RunOptions): LinuxContainerSecurityContext {
  const { user, network, capAdd = [], capDrop = [], privileged = false } = options;
  return message(LinuxContainerSecurityContext, {
    capabilities: message(Capability, { addCapabilities: [...capAdd], dropCapabilities: [...capDrop] }),
    privileged,
    readonlyRootfs: options.readOnly === true,
    noNewPrivs: options.newPrivileges === false,
    seccomp: seccomp(options),
    apparmor: apparmor(options),
    namespaceOptions: namespaces(network),
    runAsUser: typeof user?.user === "bigint" ? { value: user.user } : undefined,
    runAsUsername: typeof user?.user === "string" ? user.user : "",
    runAsGroup: user?.group === undefined ? undefined : { value: user.group },
    maskedPaths: privileged ? [] : [...MASKED_PATHS],
    readonlyPaths: privileged ? [] : [...READONLY_PATHS],
  });
}

function namespaces(network: Network | undefined): NamespaceOption {
  return message(NamespaceOption, {
    network: network === "host" ? NamespaceMode.NODE : NamespaceMode.POD,
    pid: NamespaceMode.CONTAINER,
    ipc: NamespaceMode.POD,
  });
}
