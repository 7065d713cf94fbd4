// The part of the OCI runtime specification that we write. Names are the specification's.

export interface OciSpec {
  ociVersion: string;
  process: OciProcess;
  root: { path: string; readonly: boolean };
  mounts: OciMount[];
  linux: OciLinux;
  hooks?: OciHooks;
  annotations?: Record<string, string>;
}

/** By when they are run. */
export type OciHooks = Partial<Record<string, OciHook[]>>;

interface OciHook {
  path: string;
  /** the first is the name that the program goes by */
  args?: string[];
  env: string[];
  /** seconds */
  timeout?: number;
}

export interface OciProcess {
  terminal: boolean;
  user: { uid: number; gid: number; additionalGids: number[] };
  args: string[];
  env: string[];
  cwd: string;
  capabilities: Record<"bounding" | "effective" | "inheritable" | "permitted" | "ambient", string[]>;
  noNewPrivileges: boolean;
  oomScoreAdj?: number;
  selinuxLabel?: string;
  apparmorProfile?: string;
}

export interface OciMount {
  destination: string;
  type: string;
  source: string;
  options: string[];
}

export interface OciLinux {
  namespaces: { type: string; path?: string }[];
  uidMappings?: OciIdMapping[];
  gidMappings?: OciIdMapping[];
  mountLabel?: string;
  cgroupsPath: string;
  resources: OciResources;
  maskedPaths: string[];
  readonlyPaths: string[];
  rootfsPropagation?: string;
  seccomp?: OciSeccomp;
  devices?: { path: string; type: string; major: number; minor: number; fileMode: number; uid: number; gid: number }[];
}

interface OciIdMapping {
  containerID: number;
  hostID: number;
  size: number;
}

export interface OciSeccomp {
  defaultAction: string;
  defaultErrnoRet?: number;
  architectures?: string[];
  syscalls: OciSyscalls[];
}

/** Calls by name; with arguments only those whose arguments are so. */
export interface OciSyscalls {
  names: string[];
  action: string;
  errnoRet?: number;
  args?: OciSeccompArg[];
}

export interface OciSeccompArg {
  index: number;
  /** of 64 bits without a sign; for a masked comparison the mask */
  value: number;
  valueTwo?: number;
  op: string;
}

export interface OciResources {
  devices: { allow: boolean; access: string; type?: string; major?: number; minor?: number }[];
  memory?: { limit?: number; swap?: number };
  cpu?: { shares?: number; quota?: number; period?: number; cpus?: string; mems?: string };
  hugepageLimits?: { pageSize: string; limit: number }[];
  pids?: { limit: number };
  unified?: Record<string, string>;
}
