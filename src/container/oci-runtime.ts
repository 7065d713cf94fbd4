/** An OCI runtime, as its command line begins. */
export interface OciRuntime {
  /** absolute */
  readonly path: string;
  /** before those of each call */
  readonly args: readonly string[];
}
