// All that is refused, as data: what is asked, and what the answer is. docs/errors.md has the same rows for people.
import { randomUUID } from "node:crypto";
import type { status } from "@grpc/grpc-js";
import type { Message } from "./cri.ts";

/** What the requests are about: made once, and the same after each of them. */
export interface Scene {
  readonly image: string;
  /** of an image without a command */
  readonly bareImage: string;
  readonly pod: string;
  readonly podConfig: Message;
  readonly stoppedPod: string;
  /** in the pod, named "runs" */
  readonly running: string;
  /** in the pod, and exited */
  readonly exited: string;
  /** a registry of docker's, whose content was harmed */
  readonly registry: string;
  /** one that answers by the first part of a repository's name: "429", "hang" */
  readonly bad: string;
  /** a path on the node that is there: a folder, a file, a unix socket's folder */
  readonly folder: string;
  readonly file: string;
  /** a folder that is a private mount */
  readonly privateMount: string;
}

export interface Refusal {
  readonly what: string;
  readonly call: string;
  readonly code: keyof typeof status;
  /** the stage, the id or value, and the cause */
  readonly message: RegExp;
  readonly request: (scene: Scene) => Message;
  /** of the caller */
  readonly deadlineMs?: number;
}

const UNKNOWN = "f".repeat(64);
const metadata = (): Message => ({ name: `refused-${randomUUID().slice(0, 8)}`, namespace: "test", uid: randomUUID(), attempt: 0 });

const IDS = [{ host_id: 100_000, container_id: 0, length: 65_536 }];

function userNamespace(host_id: number, container_id: number, length: number) {
  const mapping = [{ host_id, container_id, length }];
  return { namespace_options: { userns_options: { mode: "POD", uids: mapping, gids: mapping } } };
}

const pod = (
  what: string,
  code: Refusal["code"],
  message: RegExp,
  config: Message | ((scene: Scene) => Message),
  handler = "",
): Refusal => ({
  what,
  call: "RunPodSandbox",
  code,
  message,
  request: (scene) => ({
    config: { metadata: metadata(), ...(typeof config === "function" ? config(scene) : config) },
    runtime_handler: handler,
  }),
});

const podSecurity = (what: string, code: Refusal["code"], message: RegExp, security_context: Message): Refusal =>
  pod(what, code, message, { linux: { security_context } });

const container = (what: string, code: Refusal["code"], message: RegExp, config: Message | ((scene: Scene) => Message)): Refusal => ({
  what,
  call: "CreateContainer",
  code,
  message,
  request: (scene) => ({
    pod_sandbox_id: scene.pod,
    config: {
      metadata: { name: "refused", attempt: 0 },
      image: { image: scene.image },
      command: ["true"],
      linux: {},
      ...(typeof config === "function" ? config(scene) : config),
    },
    sandbox_config: scene.podConfig,
  }),
});

const security = (what: string, code: Refusal["code"], message: RegExp, security_context: Message): Refusal =>
  container(what, code, message, { linux: { security_context } });

const resources = (what: string, code: Refusal["code"], message: RegExp, limits: Message): Refusal =>
  container(what, code, message, { linux: { resources: limits } });

const mount = (what: string, code: Refusal["code"], message: RegExp, change: Message): Refusal =>
  container(what, code, message, ({ folder }) => ({ mounts: [{ host_path: folder, container_path: "/data", ...change }] }));

const device = (what: string, message: RegExp, change: Message): Refusal =>
  container(what, "INVALID_ARGUMENT", message, {
    devices: [{ host_path: "/dev/null", container_path: "/dev/x", permissions: "rwm", ...change }],
  });

const pull = (
  what: string,
  code: Refusal["code"],
  message: RegExp,
  image: (scene: Scene) => string,
  more: Partial<Refusal> = {},
): Refusal => ({
  what,
  call: "PullImage",
  code,
  message,
  request: (scene) => ({ image: { image: image(scene) } }),
  ...more,
});

const unknownId = (call: string, request: Message): Refusal => ({
  what: "an id that nothing has",
  call,
  code: "NOT_FOUND",
  message: /^find (pod sandbox|container): no (pod|container) has id f{64}$/,
  request: () => request,
});

const of = (what: string, call: string, code: Refusal["code"], message: RegExp, request: (scene: Scene) => Message): Refusal => ({
  what,
  call,
  code,
  message,
  request,
});

const INVALID = "INVALID_ARGUMENT";
const STATE = "FAILED_PRECONDITION";
const READ_POD = "^read pod sandbox config: ";
const READ_CONTAINER = "^read container config: ";
const CREATE = "^create container refused in pod [0-9a-f]{64}: ";
const re = (start: string, rest: string): RegExp => new RegExp(`${start}.*${rest}`, "s");

export const REFUSALS: readonly Refusal[] = [
  of("no config", "RunPodSandbox", INVALID, re(READ_POD, "config is missing"), () => ({})),
  pod("no metadata", INVALID, re(READ_POD, "metadata needs a name, a namespace and a uid"), { metadata: null }),
  pod(
    "a name, namespace, uid and attempt that a pod has",
    "ALREADY_EXISTS",
    /^run pod sandbox: test\/.* attempt 0 is pod [0-9a-f]{64}$/,
    ({ podConfig }) => ({
      metadata: podConfig["metadata"],
    }),
  ),
  pod(
    "a runtime handler that is not installed",
    INVALID,
    /^run pod sandbox: runtime handler "gvisor" is not one of .*"crun"/,
    {},
    "gvisor",
  ),
  pod("a host name that is none", INVALID, re(READ_POD, 'hostname "a_\\\\nb" is no host name'), { hostname: "a_\nb" }),
  pod(
    "a word of dns_config with white space in it",
    INVALID,
    re(READ_POD, 'dns_config has "1.1.1.1\\\\nx", which is no word of resolv.conf'),
    {
      dns_config: { servers: ["1.1.1.1\nx"] },
    },
  ),
  pod("a log_directory that is not absolute", INVALID, re(READ_POD, 'log_directory "logs" is not absolute'), { log_directory: "logs" }),
  pod(
    "a log_directory that leads upwards, or has a line break",
    INVALID,
    re(READ_POD, 'log_directory "/var/log/../../etc" leads upwards'),
    {
      log_directory: "/var/log/../../etc",
    },
  ),
  pod("a cgroup_parent that leads out of its place", INVALID, re(READ_POD, 'cgroup_parent "/a/../.." is no path of a cgroup'), {
    linux: { cgroup_parent: "/a/../.." },
  }),
  pod("a network that is not known", INVALID, re(READ_POD, 'annotation berth.io/network "warp" is not "none"'), {
    annotations: { "berth.io/network": "warp" },
  }),
  podSecurity("a network namespace of another container", INVALID, re(READ_POD, "network namespace mode 1 is not POD or NODE"), {
    namespace_options: { network: "CONTAINER" },
  }),
  podSecurity("an IPC namespace for each container", INVALID, re(READ_POD, "ipc namespace mode 1 is not POD or NODE"), {
    namespace_options: { ipc: "CONTAINER" },
  }),
  podSecurity("a PID namespace of a container for a pod", INVALID, re(READ_POD, "pid namespace mode 3 is not POD, CONTAINER or NODE"), {
    namespace_options: { pid: "TARGET", target_id: UNKNOWN },
  }),
  podSecurity("a user namespace of another container", INVALID, re(READ_POD, "user namespace mode 1 is not POD or NODE"), {
    namespace_options: { userns_options: { mode: "CONTAINER" } },
  }),
  podSecurity("ids for the user namespace of the node", INVALID, re(READ_POD, "user namespace mode NODE has no id mappings"), {
    namespace_options: { userns_options: { mode: "NODE", uids: IDS } },
  }),
  podSecurity("a user namespace without ids", INVALID, re(READ_POD, "a user namespace needs one mapping of uids and one of gids"), {
    namespace_options: { userns_options: { mode: "POD" } },
  }),
  podSecurity("two mappings of ids", INVALID, re(READ_POD, "a user namespace needs one mapping of uids and one of gids"), {
    namespace_options: { userns_options: { mode: "POD", uids: [...IDS, ...IDS], gids: IDS } },
  }),
  podSecurity("other ids for groups than for users", INVALID, re(READ_POD, "a user namespace needs the same mapping for uids and gids"), {
    namespace_options: { userns_options: { mode: "POD", uids: IDS, gids: [{ host_id: 1, container_id: 0, length: 65_536 }] } },
  }),
  podSecurity(
    "ids without root",
    INVALID,
    re(READ_POD, "the mapping begins at id 1, and not with root"),
    userNamespace(100_000, 1, 65_536),
  ),
  podSecurity("no ids", INVALID, re(READ_POD, "the mapping of 0 ids from 100000 on is none"), userNamespace(100_000, 0, 0)),
  podSecurity(
    "more ids than there are",
    INVALID,
    re(READ_POD, "the mapping of 2 ids from 4294967294 on is none"),
    userNamespace(4_294_967_294, 0, 2),
  ),
  ...(["network", "ipc", "pid"] as const).map((kind) =>
    podSecurity(
      `a user namespace with the node's ${kind} namespace`,
      INVALID,
      re(READ_POD, `a pod with a user namespace can't have the node's ${kind} namespace`),
      { namespace_options: { [kind]: "NODE", ...userNamespace(100_000, 0, 65_536).namespace_options } },
    ),
  ),
  pod("a sysctl of the node", INVALID, /^run pod sandbox [0-9a-f]{64}: .*set sysctl "kernel.panic"/, {
    linux: { sysctls: { "kernel.panic": "1" } },
  }),
  pod("a host port for a pod without a network", INVALID, re(READ_POD, "a pod without a network can have no host port"), {
    annotations: { "berth.io/network": "none" },
    port_mappings: [{ host_port: 18080, container_port: 80 }],
  }),
  pod("a port that is none", INVALID, re(READ_POD, "70000 is not within 1 to 65535"), {
    port_mappings: [{ host_port: 70_000, container_port: 80 }],
  }),
  pod("a protocol that is not known", INVALID, re(READ_POD, "protocol 9 is not TCP, UDP or SCTP"), {
    port_mappings: [{ protocol: 9, host_port: 18080, container_port: 80 }],
  }),
  pod("a host_ip that is no address", INVALID, re(READ_POD, 'host_ip "nowhere" is no address'), {
    port_mappings: [{ host_ip: "nowhere", host_port: 18080, container_port: 80 }],
  }),
  pod(
    "a host port on an address of a family that pods do not have",
    "FAILED_PRECONDITION",
    /^take host port tcp \[::1\]:18080: pods have addresses of 10\.88\.0\.0\/16 only$/,
    { port_mappings: [{ host_ip: "::1", host_port: 18080, container_port: 80 }] },
  ),
  pod("one host port for two ports", INVALID, re(READ_POD, "tcp \\*:18080 and tcp \\*:18080 are the same port, for 81 and 80"), {
    port_mappings: [
      { host_port: 18080, container_port: 80 },
      { host_port: 18080, container_port: 81 },
    ],
  }),
  pod("a host port that another pod has", "ALREADY_EXISTS", /take host port .*18081.*: pod test\/.* has it/, {
    port_mappings: [{ host_port: 18081, container_port: 80 }],
  }),

  of("no config", "CreateContainer", INVALID, re(READ_CONTAINER, "config is missing"), ({ pod: id }) => ({ pod_sandbox_id: id })),
  container("no name", INVALID, re(READ_CONTAINER, "metadata needs a name"), { metadata: null }),
  container("no image", INVALID, re(READ_CONTAINER, "image is missing"), { image: null }),
  container(
    "an image that is not on the node",
    "NOT_FOUND",
    /^create container refused: image "nowhere.example\/none:1" is not on this node; pull it first$/,
    {
      image: { image: "nowhere.example/none:1" },
    },
  ),
  container(
    "a name and attempt that the pod has",
    "ALREADY_EXISTS",
    /^create container: runs attempt 0 of pod [0-9a-f]{64} is container [0-9a-f]{64}$/,
    {
      metadata: { name: "runs", attempt: 0 },
    },
  ),
  unknownId("CreateContainer", { pod_sandbox_id: UNKNOWN, config: { metadata: { name: "a" }, image: { image: "a" } } }),
  of(
    "a pod that is stopped",
    "CreateContainer",
    "FAILED_PRECONDITION",
    /^create container refused: pod [0-9a-f]{64} is notready$/,
    (scene) => ({
      pod_sandbox_id: scene.stoppedPod,
      config: { metadata: { name: "refused" }, image: { image: scene.image }, command: ["true"] },
    }),
  ),
  container(
    "no command in config and image",
    INVALID,
    re(CREATE, "find the command: neither the container config nor the image names one"),
    ({ bareImage }) => ({
      image: { image: bareImage },
      command: [],
    }),
  ),
  container("a NUL byte in the command", INVALID, re(CREATE, "read command: .* holds a NUL byte"), { command: ["a\0b"] }),
  container("an environment variable that is none", INVALID, re(CREATE, 'read environment variable "A=B"'), {
    envs: [{ key: "A=B", value: "" }],
  }),
  container("a working directory that is not absolute", INVALID, re(CREATE, 'read working directory "here": it is not an absolute path'), {
    working_dir: "here",
  }),
  container("a log_path that leaves the log directory", INVALID, re(READ_CONTAINER, 'log_path "../x.log" leaves the log directory'), {
    log_path: "../x.log",
  }),
  container("a stop signal that is not known", INVALID, re(READ_CONTAINER, "stop_signal 999 is not known"), { stop_signal: 999 }),
  container("an SELinux label in parts that are none", INVALID, re(READ_CONTAINER, 'selinux_options: type "a:b" is no part of a label'), {
    linux: { security_context: { selinux_options: { type: "a:b" } } },
  }),
  container(
    "a device of CDI that no file has",
    "FAILED_PRECONDITION",
    re(CREATE, "find CDI device vendor.example/gpu=0: no file of this node has it"),
    {
      CDI_devices: [{ name: "vendor.example/gpu=0" }],
    },
  ),
  container("a device of CDI without a vendor", INVALID, re(READ_CONTAINER, 'CDI_devices: "gpu=0" is no name of a CDI device'), {
    CDI_devices: [{ name: "gpu=0" }],
  }),

  mount("a mount of a path that is not there", INVALID, re(CREATE, "mount /no/such/folder at /data: no such file or folder"), {
    host_path: "/no/such/folder",
  }),
  mount("a mount from a path that is not absolute", INVALID, re(READ_CONTAINER, 'mount /data: host_path "here" is not absolute'), {
    host_path: "here",
  }),
  mount("a mount at a path that is not absolute", INVALID, re(CREATE, 'read mount "data": container_path is not absolute'), {
    container_path: "data",
  }),
  container("two mounts at one path", INVALID, re(READ_CONTAINER, "mount /data: two mounts are at this path"), ({ folder, file }) => ({
    mounts: [
      { host_path: folder, container_path: "/data" },
      { host_path: file, container_path: "/data/" },
    ],
  })),
  mount("a propagation that is not known", INVALID, re(READ_CONTAINER, "mount /data: propagation 9 is not known"), { propagation: 9 }),
  container(
    "a bidirectional volume on a mount that is not shared",
    STATE,
    re(CREATE, "mount .* at /data: .*look at .*: it is on the mount .*, which is not a shared mount"),
    ({ privateMount }) => ({ mounts: [{ host_path: privateMount, container_path: "/data", propagation: "PROPAGATION_BIDIRECTIONAL" }] }),
  ),
  container(
    "a volume that follows the node on a mount that is private",
    STATE,
    re(CREATE, "mount .* at /data: .*look at .*: it is on the mount .*, which is not a shared or slave mount"),
    ({ privateMount }) => ({
      mounts: [{ host_path: privateMount, container_path: "/data", propagation: "PROPAGATION_HOST_TO_CONTAINER" }],
    }),
  ),
  mount("a mount option that is not known", INVALID, re(READ_CONTAINER, 'mount option "suid" is not one of noexec, nodev, nosuid'), {
    mount_options: ["suid"],
  }),
  mount("an image and a path as one volume", INVALID, re(READ_CONTAINER, "mount /data: it has an image and a host_path"), {
    readonly: true,
    image: { image: "a" },
  }),
  mount("an image as a volume that can be written", INVALID, re(READ_CONTAINER, "mount /data: an image can only be mounted readonly"), {
    host_path: "",
    image: { image: "a" },
  }),
  mount("an image as a volume that is passed on", INVALID, re(READ_CONTAINER, "mount /data: an image needs private propagation"), {
    host_path: "",
    readonly: true,
    propagation: "PROPAGATION_BIDIRECTIONAL",
    image: { image: "a" },
  }),
  mount(
    "a sub path that leaves the image",
    INVALID,
    re(READ_CONTAINER, 'mount /data: image_sub_path "../x" is no relative path without "[.][.]"'),
    {
      host_path: "",
      readonly: true,
      image: { image: "a" },
      image_sub_path: "../x",
    },
  ),
  container(
    "a sub path that the image does not have",
    INVALID,
    re(CREATE, '.*ImageVolumeMountFailed: find "none" in the image: it is not there'),
    ({ image }) => ({ mounts: [{ container_path: "/data", readonly: true, image: { image }, image_sub_path: "none" }] }),
  ),
  mount("a sub path of no image", INVALID, re(READ_CONTAINER, "mount /data: image_sub_path needs an image"), { image_sub_path: "x" }),
  mount(
    "an image as a volume that is not on the node",
    "NOT_FOUND",
    re(CREATE, 'ImageVolumeMountFailed: mount /data: image "a" is not on this node'),
    {
      host_path: "",
      readonly: true,
      image: { image: "a" },
    },
  ),
  mount(
    "a recursive read-only mount that is not read-only",
    INVALID,
    re(READ_CONTAINER, "mount /data: recursive_read_only needs readonly"),
    {
      recursive_read_only: true,
    },
  ),
  mount(
    "a recursive read-only mount with propagation",
    INVALID,
    re(READ_CONTAINER, "mount /data: recursive_read_only needs private propagation"),
    { readonly: true, recursive_read_only: true, propagation: "PROPAGATION_HOST_TO_CONTAINER" },
  ),
  mount("a mount with half a mapping", INVALID, re(READ_CONTAINER, "mount /data: it needs one mapping of uids and one of gids"), {
    uidMappings: IDS,
  }),
  mount(
    "a mount with ids that the pod does not have",
    INVALID,
    re(CREATE, ".*mount /data: its ids are not those of the pod's user namespace"),
    {
      uidMappings: IDS,
      gidMappings: IDS,
    },
  ),

  device("a device that is not there", re(CREATE, "device /dev/no-such: ENOENT"), { host_path: "/dev/no-such" }),
  container("a device that is none", INVALID, re(CREATE, "it is no device"), ({ file }) => ({
    devices: [{ host_path: file, container_path: "/dev/x", permissions: "r" }],
  })),
  device("a device at a path that is not absolute", re(CREATE, 'device "x": it is no absolute path'), { container_path: "x" }),
  device("permissions of a device that are none", re(CREATE, 'device /dev/null: permissions "x" are not of "r", "w" and "m"'), {
    permissions: "x",
  }),

  security("a user that the image does not know", INVALID, re(CREATE, 'look up user "nobody-here"'), { run_as_username: "nobody-here" }),
  security("a group without a user", INVALID, re(CREATE, "read run_as_group: it needs run_as_user or run_as_username"), {
    run_as_group: { value: 5 },
  }),
  security("a user's number and a name", INVALID, re(CREATE, 'read run_as_username "tester": there is a run_as_user too'), {
    run_as_user: { value: 5 },
    run_as_username: "tester",
  }),
  security("a user id that is out of range", INVALID, re(CREATE, "read run_as_user -1: it is not within 0 to 2147483647"), {
    run_as_user: { value: -1 },
  }),
  security("a user's name with a colon", INVALID, re(CREATE, 'read run_as_username "a:b": it holds a colon'), { run_as_username: "a:b" }),
  security(
    "a supplemental group that is out of range",
    INVALID,
    re(READ_CONTAINER, "supplemental group -1 is not within 0 to 2147483647"),
    {
      supplemental_groups: [-1],
    },
  ),
  security("a capability that does not exist", INVALID, re(CREATE, 'read capability "CAP_FLY": there is no such capability'), {
    capabilities: { add_capabilities: ["CAP_FLY"] },
  }),
  security("a PID namespace mode that is not known", INVALID, re(READ_CONTAINER, "pid namespace mode 9 is not known"), {
    namespace_options: { pid: 9 },
  }),
  security("the PID namespace of no container", INVALID, re(READ_CONTAINER, "pid namespace mode TARGET needs a target_id"), {
    namespace_options: { pid: "TARGET" },
  }),
  security(
    "the PID namespace of a container that the pod does not have",
    INVALID,
    re(CREATE, "join PID namespace of container f{64}: it is no container of pod"),
    {
      namespace_options: { pid: "TARGET", target_id: UNKNOWN },
    },
  ),
  container(
    "the PID namespace of a container that has ended",
    "FAILED_PRECONDITION",
    re(CREATE, "join PID namespace of container [0-9a-f]{64}: it is exited"),
    ({ exited }) => ({
      linux: { security_context: { namespace_options: { pid: "TARGET", target_id: exited } } },
    }),
  ),
  security("a privileged container in a pod that is not", INVALID, re(CREATE, "it is privileged, and its pod is not"), {
    privileged: true,
  }),
  security("a groups policy that is not known", INVALID, re(READ_CONTAINER, "supplemental_groups_policy 7 is not known"), {
    supplemental_groups_policy: 7,
  }),
  security("a user namespace that its pod does not have", INVALID, re(CREATE, ".*its user namespace is not that of its pod"), {
    namespace_options: { pid: "CONTAINER", ...userNamespace(100_000, 0, 65_536).namespace_options },
  }),
  security("a seccomp profile that is not there", INVALID, re(CREATE, "read seccomp profile /no/such.json: ENOENT"), {
    seccomp: { profile_type: "Localhost", localhost_ref: "/no/such.json" },
  }),
  security("a seccomp profile that is not absolute", INVALID, re(READ_CONTAINER, 'seccomp profile "such.json" is no absolute path'), {
    seccomp: { profile_type: "Localhost", localhost_ref: "such.json" },
  }),
  container("a seccomp profile that is no profile", INVALID, re(CREATE, "read seccomp profile .*: "), ({ file }) => ({
    linux: { security_context: { seccomp: { profile_type: "Localhost", localhost_ref: file } } },
  })),
  security("a seccomp_profile_path that is not known", INVALID, re(READ_CONTAINER, 'seccomp_profile_path "mine" is not known'), {
    seccomp_profile_path: "mine",
  }),
  security("a seccomp profile type that is not known", INVALID, re(READ_CONTAINER, "seccomp profile type 9 is not known"), {
    seccomp: { profile_type: 9 },
  }),
  security("an AppArmor profile type that is not known", INVALID, re(READ_CONTAINER, "AppArmor profile type 9 is not known"), {
    apparmor: { profile_type: 9 },
  }),
  security("an AppArmor profile that the node can't set", STATE, re(CREATE, "find AppArmor profile not-loaded: "), {
    apparmor: { profile_type: "Localhost", localhost_ref: "not-loaded" },
  }),
  security("an apparmor_profile that the node can't set", STATE, re(CREATE, "find AppArmor profile not-loaded: "), {
    apparmor_profile: "localhost/not-loaded",
  }),
  security("an AppArmor profile without a name", INVALID, re(READ_CONTAINER, 'AppArmor profile "" is no name'), {
    apparmor: { profile_type: "Localhost" },
  }),
  security("an apparmor_profile that is not known", INVALID, re(READ_CONTAINER, 'apparmor_profile "mine" is not known'), {
    apparmor_profile: "mine",
  }),

  resources("an oom_score_adj that is out of range", INVALID, re(CREATE, "read oom_score_adj 2000: it is not within -1000 to 1000"), {
    oom_score_adj: 2000,
  }),
  resources("a limit that is out of range", INVALID, re(CREATE, "read memory_limit_in_bytes -5: out of range"), {
    memory_limit_in_bytes: -5,
  }),
  resources("a page size that is none", INVALID, re(CREATE, 'read hugepage limit of "big": it is no page size'), {
    hugepage_limits: [{ page_size: "big", limit: 1 }],
  }),
  resources("a cgroup file that is none", INVALID, re(CREATE, 'read unified resource "../x": it is no cgroup file and value'), {
    unified: { "../x": "1" },
  }),

  unknownId("StartContainer", { container_id: UNKNOWN }),
  of("a container that runs", "StartContainer", "FAILED_PRECONDITION", /^start container: it is running$/, ({ running }) => ({
    container_id: running,
  })),
  of("a container that has ended", "StartContainer", "FAILED_PRECONDITION", /^start container: it is exited$/, ({ exited }) => ({
    container_id: exited,
  })),
  of("a grace period below 0", "StopContainer", INVALID, /^stop container [0-9a-f]{64}: timeout -1 is negative$/, ({ running }) => ({
    container_id: running,
    timeout: -1,
  })),
  unknownId("UpdateContainerResources", { container_id: UNKNOWN, linux: { cpu_shares: 10 } }),
  of("no limits", "UpdateContainerResources", INVALID, /^update resources of container [0-9a-f]{64}: linux is missing$/, ({ running }) => ({
    container_id: running,
  })),
  of(
    "a container that has ended",
    "UpdateContainerResources",
    "FAILED_PRECONDITION",
    /^update resources of container [0-9a-f]{64}: it is exited$/,
    ({ exited }) => ({
      container_id: exited,
      linux: { cpu_shares: 10 },
    }),
  ),
  of(
    "a memory limit below what is used",
    "UpdateContainerResources",
    "FAILED_PRECONDITION",
    /^update resources of container [0-9a-f]{64}: .*memory/s,
    ({ running }) => ({
      container_id: running,
      linux: { memory_limit_in_bytes: 4096 },
    }),
  ),
  unknownId("UpdatePodSandboxResources", { pod_sandbox_id: UNKNOWN, resources: { cpu_shares: 10 } }),
  of(
    "no limits",
    "UpdatePodSandboxResources",
    INVALID,
    /^update resources of pod sandbox [0-9a-f]{64}: resources and overhead are missing$/,
    ({ pod: id }) => ({ pod_sandbox_id: id }),
  ),
  of(
    "a pod that was stopped",
    "UpdatePodSandboxResources",
    "FAILED_PRECONDITION",
    /^update resources of pod sandbox [0-9a-f]{64}: it is notready$/,
    ({ stoppedPod }) => ({ pod_sandbox_id: stoppedPod, resources: { cpu_shares: 10 } }),
  ),
  of(
    "a limit that the kernel refuses",
    "UpdatePodSandboxResources",
    INVALID,
    /^update resources of pod sandbox [0-9a-f]{64}: .*cpu/s,
    ({ pod: id }) => ({ pod_sandbox_id: id, resources: { cpu_quota: 500 } }),
  ),
  unknownId("ExecSync", { container_id: UNKNOWN, cmd: ["true"] }),
  of("no command", "ExecSync", INVALID, /^exec in container [0-9a-f]{64}: the command is empty$/, ({ running }) => ({
    container_id: running,
  })),
  of("a command that is not there", "ExecSync", INVALID, /^exec in container [0-9a-f]{64}: .*no-such/s, ({ running }) => ({
    container_id: running,
    cmd: ["/no-such"],
  })),
  of(
    "a command that is no executable",
    "ExecSync",
    INVALID,
    /^exec in container [0-9a-f]{64}: .*(permission denied|not executable|exec format)/is,
    ({ running }) => ({
      container_id: running,
      cmd: ["/etc/passwd"],
    }),
  ),
  of(
    "a timeout below 0",
    "ExecSync",
    INVALID,
    /^exec in container [0-9a-f]{64}: timeout -1 is not within 0 to 4000000 seconds$/,
    ({ running }) => ({
      container_id: running,
      cmd: ["true"],
      timeout: -1,
    }),
  ),
  of(
    "a command that outlives its timeout",
    "ExecSync",
    "DEADLINE_EXCEEDED",
    /^exec in container [0-9a-f]{64}: timed out: "sleep" was killed after 1 s$/,
    ({ running }) => ({
      container_id: running,
      cmd: ["sleep", "100"],
      timeout: 1,
    }),
  ),
  of("a container that has ended", "ExecSync", "FAILED_PRECONDITION", /^exec in container [0-9a-f]{64}: it is exited$/, ({ exited }) => ({
    container_id: exited,
    cmd: ["true"],
  })),
  ...["Exec", "Attach"].flatMap((call) => [
    unknownId(call, { container_id: UNKNOWN, cmd: ["true"], stdout: true }),
    of("no stream", call, INVALID, /container [0-9a-f]{64}: one of stdin, stdout and stderr must be set$/, ({ running }) => ({
      container_id: running,
      cmd: ["true"],
    })),
    of("a terminal with stderr", call, INVALID, /container [0-9a-f]{64}: tty and stderr cannot both be true/, ({ running }) => ({
      container_id: running,
      cmd: ["true"],
      tty: true,
      stderr: true,
    })),
    of("a container that has ended", call, "FAILED_PRECONDITION", /container [0-9a-f]{64}: it is exited$/, ({ exited }) => ({
      container_id: exited,
      cmd: ["true"],
      stdout: true,
    })),
  ]),
  of("no command", "Exec", INVALID, /^exec in container [0-9a-f]{64}: the command is empty$/, ({ running }) => ({
    container_id: running,
    stdout: true,
  })),
  unknownId("PortForward", { pod_sandbox_id: UNKNOWN, port: [80] }),
  of(
    "a pod that is stopped",
    "PortForward",
    "FAILED_PRECONDITION",
    /^forward ports of pod [0-9a-f]{64}: it is notready$/,
    ({ stoppedPod }) => ({
      pod_sandbox_id: stoppedPod,
      port: [80],
    }),
  ),
  of(
    "a port that is none",
    "PortForward",
    INVALID,
    /^forward ports of pod [0-9a-f]{64}: port 70000 is not within 1 to 65535$/,
    ({ pod: id }) => ({
      pod_sandbox_id: id,
      port: [70_000],
    }),
  ),
  unknownId("ReopenContainerLog", { container_id: UNKNOWN }),
  of("a container that has ended", "ReopenContainerLog", "FAILED_PRECONDITION", /[0-9a-f]{64}: it is exited$/, ({ exited }) => ({
    container_id: exited,
  })),
  unknownId("PodSandboxStatus", { pod_sandbox_id: UNKNOWN }),
  unknownId("ContainerStatus", { container_id: UNKNOWN }),
  unknownId("PodSandboxStats", { pod_sandbox_id: UNKNOWN }),
  unknownId("ContainerStats", { container_id: UNKNOWN }),
  of("a pod that is stopped", "PodSandboxStats", "NOT_FOUND", /^read usage of pod [0-9a-f]{64}: it is notready/, ({ stoppedPod }) => ({
    pod_sandbox_id: stoppedPod,
  })),

  pull("no reference", INVALID, /^pull image: the reference is empty$/, () => ""),
  pull("a reference that is none", INVALID, /^read image reference "Foo\/bar": the name is not of lower-case letters/, () => "Foo/bar"),
  pull("a tag that is none", INVALID, /^read image reference "a:b!": the tag is not/, () => "a:b!"),
  pull("a digest that is none", INVALID, /^read image reference "a@sha256:12": the digest is not/, () => "a@sha256:12"),
  pull(
    "a tag that the registry does not have",
    "NOT_FOUND",
    /^pull .*\/test\/busybox: .*HTTP 404/s,
    ({ registry }) => `${registry}/test/busybox:none`,
  ),
  pull(
    "a layer of another digest",
    INVALID,
    /^pull .*\/test\/wrong: .*fetch blob sha256:[0-9a-f]{64}: .*the digest of what came is/s,
    ({ registry }) => `${registry}/test/wrong:1`,
  ),
  pull(
    "a layer that is cut short",
    INVALID,
    /^pull .*\/test\/short: .*fetch blob sha256:[0-9a-f]{64}: .*bytes/s,
    ({ registry }) => `${registry}/test/short:1`,
  ),
  pull(
    "a layer that is no archive",
    INVALID,
    /^pull .*\/test\/garbage: .*unpack .*: read archive: it is not gzip data/s,
    ({ registry }) => `${registry}/test/garbage:1`,
  ),
  pull("no image for this machine", "NOT_FOUND", /there (are|is) .*linux\/s390x/s, ({ registry }) => `${registry}/test/elsewhere:1`),
  pull(
    "a registry that wants credentials (HTTP 401)",
    "FAILED_PRECONDITION",
    /^pull .*\/401\/image: .*HTTP 401.*check the credentials/s,
    ({ bad }) => `${bad}/401/image:1`,
  ),
  pull(
    "a registry that has had too many requests (HTTP 429)",
    "RESOURCE_EXHAUSTED",
    /^pull .*\/429\/image: .*HTTP 429/s,
    ({ bad }) => `${bad}/429/image:1`,
  ),
  pull(
    "a registry that fails (HTTP 500)",
    "UNKNOWN",
    /^RegistryUnavailable: pull .*\/500\/image: .*HTTP 500/s,
    ({ bad }) => `${bad}/500/image:1`,
  ),
  pull(
    "a registry that can't be reached",
    "UNKNOWN",
    /^RegistryUnavailable: pull 127.0.0.1:9\/image: .*ECONNREFUSED/s,
    () => "127.0.0.1:9/image:1",
  ),
  pull(
    "a registry that hangs, when the caller has waited enough",
    "DEADLINE_EXCEEDED",
    /Deadline exceeded|deadline/i,
    ({ bad }) => `${bad}/hang/image:1`,
    {
      deadlineMs: 300,
    },
  ),
  {
    what: "credentials that can't be read",
    call: "PullImage",
    code: INVALID,
    message: /^pull .*: read registry credentials: auth is not base64 of a name and a password$/,
    request: ({ image }) => ({ image: { image }, auth: { auth: "%%%" } }),
  },
];

/** Starts that fail leave a container that says why. */
export const FAILED_STARTS: readonly {
  readonly what: string;
  readonly command: string;
  readonly code: Refusal["code"];
  readonly message: RegExp;
}[] = [
  {
    what: "a command that is not there",
    command: "/no/such/command",
    code: INVALID,
    message: /^start container [0-9a-f]{64}: .*(no\/such\/command|no such file)/is,
  },
  {
    what: "a command that is no executable",
    command: "/etc/passwd",
    code: INVALID,
    message: /^start container [0-9a-f]{64}: .*permission denied/is,
  },
  {
    what: "a command that is a folder",
    command: "/etc",
    code: INVALID,
    message: /^start container [0-9a-f]{64}: .*(permission denied|is a directory|open executable)/is,
  },
];
