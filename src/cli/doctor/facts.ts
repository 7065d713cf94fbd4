// What `berth doctor` knows of a machine, found out in read-facts.ts and judged in checks.ts.

/** The settings that berthd would start with, as far as the machine has to fit them. */
export interface NodeSettings {
  readonly root: string;
  readonly state: string;
  readonly socket: string;
  readonly bridge: string;
  readonly podSubnet: string;
  /** "" is crun, else runc */
  readonly runtime: string;
  /** as `runtime` names it */
  readonly ownRuntime: Omit<Program, "version">;
  readonly checkpoints: boolean;
  /** paths of berthd's own programs */
  readonly programs: readonly string[];
}

export interface Place {
  /** the file system of the folder, or of the nearest folder above that is there */
  readonly type: "overlay" | "nfs" | "tmpfs" | "other";
  readonly freeBytes: number;
  readonly freeInodes: number;
}

export interface Route {
  readonly interfaceName: string;
  /** IPv4 as a number, and its mask */
  readonly network: number;
  readonly mask: number;
}

export interface Program {
  readonly name: string;
  /** undefined: it is not there */
  readonly path: string | undefined;
  /** the first line that it says of itself; "" when it says nothing */
  readonly version: string;
}

export interface Facts {
  readonly uid: number;
  /** "6.1.0-25-amd64" */
  readonly kernelRelease: string;
  readonly fileSystems: readonly string[];
  readonly cgroupMode: "none" | "v1" | "hybrid" | "v2";
  readonly cgroupControllers: readonly string[];
  readonly hasSeccomp: boolean;
  readonly hasPressure: boolean;
  readonly maxUserNamespaces: number;
  /** the effective set, as bits */
  readonly capabilities: bigint;
  readonly nft: Program;
  /** why nft can't be used; "" when it can */
  readonly nftProblem: string;
  readonly runtimes: readonly Program[];
  readonly criu: Program;
  /** why CRIU can't be used; "" when it can, and where nobody wants it */
  readonly criuProblem: string;
  readonly missingPrograms: readonly string[];
  readonly root: Place;
  readonly state: Place;
  readonly rootIsShared: boolean;
  readonly somebodyListens: boolean;
  readonly routes: readonly Route[];
  readonly linkNames: readonly string[];
  readonly ipForward: boolean;
  readonly hasSwap: boolean;
  readonly nowMs: number;
}
