// Every setting of berthd, in one table: the command line, the file, `--help` and the reference page are made from it.
import { isIP } from "node:net";
import { AgentError } from "../base/errors.ts";
import { LOG_LEVELS, type LogLevel } from "../base/log-level.ts";

export interface Config {
  readonly root: string;
  readonly state: string;
  readonly socket: string;
  readonly socketMode: number;
  readonly logLevel: LogLevel;
  readonly helperPath: string;
  readonly shimPath: string;
  readonly helperSocket: string;
  readonly manageHelper: boolean;
  readonly runtime: string;
  readonly moreRuntimes: Readonly<Record<string, RuntimeCommand>>;
  readonly cdiSpecDirs: readonly string[];
  readonly podSubnet: string;
  readonly bridge: string;
  readonly networkMtu: number;
  readonly registryConfigDir: string;
  readonly cgroupParent: string;
  readonly containerPidsLimit: number;
  readonly strict: boolean;
  readonly selinux: boolean;
  readonly runtimeTimeoutSeconds: number;
  readonly imageGcHighPercent: number;
  readonly imageGcLowPercent: number;
  readonly imageGcMinAgeSeconds: number;
  readonly streamAddress: string;
  readonly streamPort: number;
  readonly streamIdleTimeoutSeconds: number;
  readonly containerLogMaxBytes: number;
  readonly containerLogMaxFiles: number;
  readonly checkpoints: boolean;
}

/** Of an OCI runtime: a path or a name, and what comes before the arguments of each call. */
export interface RuntimeCommand {
  readonly program: string;
  readonly args: readonly string[];
}

/** One setting. `read` takes the text of a flag, or of the file's value. */
export interface Setting<T> {
  /** in the file, and with "--" before it on the command line */
  readonly name: string;
  /** as text; a default that depends on other settings says how in words, and is worked out in load.ts */
  readonly default: string;
  readonly unit: string;
  readonly doc: string;
  readonly read: (text: string) => T;
}

const text = (value: string): string => value;

function path(value: string): string {
  if (!value.startsWith("/") || value.includes("\0"))
    throw new AgentError("invalid-argument", `${JSON.stringify(value)} is not an absolute path`);
  // One spelling, so that paths can be compared.
  return value.length > 1 ? value.replace(/\/+/g, "/").replace(/\/$/, "") : value;
}

const paths = (value: string): string[] => (value === "" ? [] : value.split(",").map((each) => path(each.trim())));

const pathOrEmpty = (value: string): string => (value === "" ? "" : path(value));

function flag(value: string): boolean {
  if (value === "true" || value === "false") return value === "true";
  throw new AgentError("invalid-argument", `${JSON.stringify(value)} is neither true nor false`);
}

const whole =
  (least: number, most: number) =>
  (value: string): number => {
    const number = /^\d{1,10}$/.test(value) ? Number(value) : Number.NaN;
    if (!(number >= least && number <= most))
      throw new AgentError("invalid-argument", `${JSON.stringify(value)} is no whole number within ${least} to ${most}`);
    return number;
  };

// RFC 791: every link of IPv4 carries as much.
const LEAST_MTU = 68;

function mtu(value: string): number {
  return value === "0" ? 0 : whole(LEAST_MTU, 65_535)(value);
}

function mode(value: string): number {
  if (!/^0?[0-7]{3}$/.test(value))
    throw new AgentError("invalid-argument", `${JSON.stringify(value)} is no file mode of three octal digits`);
  return Number.parseInt(value, 8);
}

function logLevel(value: string): LogLevel {
  const level = LOG_LEVELS.find((each) => each === value);
  if (level === undefined) throw new AgentError("invalid-argument", `${JSON.stringify(value)} is not one of ${LOG_LEVELS.join(", ")}`);
  return level;
}

function interfaceName(value: string): string {
  if (!/^[a-zA-Z0-9_.-]{1,15}$/.test(value))
    throw new AgentError("invalid-argument", `${JSON.stringify(value)} is no interface name of 1 to 15 characters`);
  return value;
}

/** "youki=/usr/bin/youki,other=runsc --debug" */
function programs(value: string): Readonly<Record<string, RuntimeCommand>> {
  const pairs = value.split(",").filter((pair) => pair.trim() !== "");
  return Object.fromEntries(
    pairs.map((pair) => {
      const [, name = "", program = "", args = ""] = /^\s*([a-z0-9][a-z0-9.-]{0,62})=(\S+)((?:\s+\S+)*)\s*$/.exec(pair) ?? [];
      if (name === "") throw new AgentError("invalid-argument", `${JSON.stringify(pair)} is no handler with its program, name=path`);
      return [name, { program, args: args.split(/\s+/).filter((word) => word !== "") }];
    }),
  );
}

function ipAddress(value: string): string {
  if (isIP(value) === 0) throw new AgentError("invalid-argument", `${JSON.stringify(value)} is no IP address`);
  return value;
}

export const SETTINGS: { readonly [K in keyof Config]: Setting<Config[K]> } = {
  root: {
    name: "root",
    default: "/var/lib/berth",
    unit: "folder",
    doc: "Images, writable layers and records. Survives a reboot.",
    read: path,
  },
  state: { name: "state", default: "/run/berth", unit: "folder", doc: "Sockets and running pods. Made a private mount point.", read: path },
  socket: { name: "socket", default: "<state>/berth.sock", unit: "path", doc: "Where the CRI and berth.v1 are served.", read: path },
  socketMode: {
    name: "socket-mode",
    default: "0660",
    unit: "octal",
    doc: "Mode of the socket. Who may write to it is root on this node.",
    read: mode,
  },
  logLevel: { name: "log-level", default: "info", unit: LOG_LEVELS.join(", "), doc: "Least level that is logged.", read: logLevel },
  helperPath: { name: "helper", default: "berth-helper beside berthd", unit: "path", doc: "The helper program.", read: text },
  shimPath: { name: "shim", default: "berth-shim beside berthd", unit: "path", doc: "The shim program.", read: text },
  helperSocket: { name: "helper-socket", default: "<state>/helper.sock", unit: "path", doc: "Where the helper listens.", read: path },
  manageHelper: {
    name: "manage-helper",
    default: "true",
    unit: "true, false",
    doc: "Start the helper, and end it with berthd. False where a service manager does.",
    read: flag,
  },
  runtime: {
    name: "runtime",
    default: "",
    unit: "path or name",
    doc: "OCI runtime of pods that name no handler. Empty: crun where it is installed, else runc. direct: Berth's own.",
    read: text,
  },
  moreRuntimes: {
    name: "runtimes",
    default: "",
    unit: "name=path arguments, with commas",
    doc: "OCI runtimes of further handlers, beside crun, runc and direct; the arguments come before those of each call. One that is not there ends the start.",
    read: programs,
  },
  cdiSpecDirs: {
    name: "cdi-spec-dirs",
    default: "/etc/cdi,/var/run/cdi",
    unit: "folders, with commas",
    doc: "Specifications of devices of CDI, the later folder's before the earlier's. Empty: no such devices.",
    read: paths,
  },
  podSubnet: {
    name: "pod-subnet",
    default: "10.88.0.0/16",
    unit: "subnet, or two",
    doc: "Addresses of pods. The first is the bridge's own. One of each family, with a comma between them, gives pods both.",
    read: text,
  },
  bridge: { name: "bridge", default: "berth0", unit: "interface name", doc: "The bridge that pods are on.", read: interfaceName },
  networkMtu: {
    name: "network-mtu",
    default: "0",
    unit: "bytes",
    doc: "Largest packet of the bridge and of pods' links. 0: 1500.",
    read: mtu,
  },
  registryConfigDir: {
    name: "registry-config-dir",
    default: "/etc/berth/certs.d",
    unit: "folder",
    doc: "Mirrors and certificates, as <registry>/hosts.toml.",
    read: path,
  },
  cgroupParent: {
    name: "cgroup-parent",
    default: "",
    unit: "cgroup",
    doc: "Parent of pods that name none. Empty: /berth-<instance>.",
    read: pathOrEmpty,
  },
  containerPidsLimit: {
    name: "container-pids-limit",
    default: "0",
    unit: "processes",
    doc: "For containers that set none. 0: no limit.",
    read: whole(0, 4_194_304),
  },
  strict: {
    name: "strict",
    default: "false",
    unit: "true, false",
    doc: "Refuse a pod or container of which something can't be applied here. False: its status has a warning.",
    read: flag,
  },
  selinux: {
    name: "selinux",
    default: "false",
    unit: "true, false",
    doc: "Give containers that ask for one an SELinux label, where the kernel has SELinux. False: their status has a warning.",
    read: flag,
  },
  runtimeTimeoutSeconds: {
    name: "runtime-timeout",
    default: "120",
    unit: "seconds",
    doc: "How long one call of the OCI runtime may take; then it is killed with its children.",
    read: whole(1, 180),
  },
  imageGcHighPercent: {
    name: "image-gc-high-percent",
    default: "100",
    unit: "% of the file system of root",
    doc: "From here on unused images are removed. 100: never, as where a kubelet does it.",
    read: whole(1, 100),
  },
  imageGcLowPercent: {
    name: "image-gc-low-percent",
    default: "80",
    unit: "% of the file system of root",
    doc: "Until here they are removed, the least recently used first. Less than image-gc-high-percent.",
    read: whole(0, 99),
  },
  imageGcMinAgeSeconds: {
    name: "image-gc-min-age",
    default: "120",
    unit: "seconds",
    doc: "Images that came or were used since then stay.",
    read: whole(0, 2_147_483_647),
  },
  streamAddress: {
    name: "stream-address",
    default: "127.0.0.1",
    unit: "IP address",
    doc: "Where exec, attach and port-forward are served. Who can reach it and has a ticket may use them.",
    read: ipAddress,
  },
  streamPort: {
    name: "stream-port",
    default: "0",
    unit: "port",
    doc: "The same. 0: any that is free.",
    read: whole(0, 65_535),
  },
  streamIdleTimeoutSeconds: {
    name: "stream-idle-timeout",
    default: "14400",
    unit: "seconds",
    doc: "A stream on which nothing happens that long is ended. 0: never.",
    read: whole(0, 2_147_483),
  },
  containerLogMaxBytes: {
    name: "container-log-max-size",
    default: "10485760",
    unit: "bytes",
    doc: "Size at which the log of a pod that asks for it is rotated (`berth run` does; a kubelet rotates by itself). 0: never.",
    read: whole(0, 4_294_967_295),
  },
  containerLogMaxFiles: {
    name: "container-log-max-files",
    default: "5",
    unit: "files",
    doc: "How many files of such a log are kept, with the one that is written.",
    read: whole(2, 1000),
  },
  checkpoints: {
    name: "checkpoints",
    default: "false",
    unit: "true, false",
    doc: "Let CheckpointContainer write the memory of running containers to files, with CRIU. False: it is refused.",
    read: flag,
  },
};
