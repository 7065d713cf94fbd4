// A specification of the Container Device Interface, as vendors write it. Names are the specification's.

/** All of a file, its devices by their name. */
export interface CdiSpec {
  /** "vendor.com/class" */
  readonly kind: string;
  readonly devices: ReadonlyMap<string, CdiEdits>;
  /** made once for a container that has any of the devices */
  readonly containerEdits: CdiEdits;
}

/** What a device changes in an OCI spec. */
export interface CdiEdits {
  /** "NAME=value" */
  readonly env: readonly string[];
  readonly deviceNodes: readonly CdiDeviceNode[];
  readonly mounts: readonly CdiMount[];
  readonly hooks: readonly CdiHook[];
  readonly additionalGids: readonly number[];
}

export interface CdiDeviceNode {
  /** in the container */
  readonly path: string;
  /** on the node, where it is another */
  readonly hostPath?: string | undefined;
  /** "u" is "c"; what is undefined is as on the node */
  readonly type?: "b" | "c" | "u" | "p" | undefined;
  readonly major?: number | undefined;
  readonly minor?: number | undefined;
  readonly fileMode?: number | undefined;
  /** of "r", "w" and "m", or "none"; undefined is all three */
  readonly permissions?: string | undefined;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
}

export interface CdiMount {
  readonly hostPath: string;
  readonly containerPath: string;
  readonly type: string;
  readonly options: readonly string[];
}

export const HOOK_NAMES = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"] as const;

export interface CdiHook {
  readonly hookName: (typeof HOOK_NAMES)[number];
  /** of a program; of the node, but for startContainer */
  readonly path: string;
  readonly args: readonly string[];
  readonly env: readonly string[];
  /** seconds */
  readonly timeout?: number | undefined;
}
