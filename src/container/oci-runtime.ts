/** An OCI runtime, as its command line begins. */
export interface OciRuntime {
  /** absolute */
  readonly path: string;
  /** before those of each call */
  readonly args: readonly string[];
  /** whether its calls begin with the kernel's wait before a move to a cgroup, which may be taken ahead */
  readonly waitsToMove: boolean;
}

/** What is known of checkpoints before one is asked for. */
export interface CheckpointOptions {
  readonly isEnabled: boolean;
  /** of those under way, a folder each; below --root */
  readonly folder: string;
  /** whether a handler's runtime may know CRIU; false when it says that it does not */
  readonly mayRuntime: (handler: string) => Promise<boolean>;
}
