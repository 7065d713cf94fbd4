// The records as the comparison takes them, and where things are.
import type { ContainerRecord } from "../container/records.ts";
import type { BlobRecord, SnapshotRecord } from "../image/records.ts";
import type { EndpointRecord } from "../network/records.ts";
import type { SandboxRecord } from "../sandbox/records.ts";

export interface Records {
  readonly sandboxes: readonly SandboxRecord[];
  readonly containers: readonly ContainerRecord[];
  readonly endpoints: readonly EndpointRecord[];
  readonly snapshots: readonly SnapshotRecord[];
  readonly blobs: readonly BlobRecord[];
}

export interface Places {
  /** --root */
  readonly root: string;
  /** --state */
  readonly state: string;
  /** of pods that name none */
  readonly cgroupParent: string;
  /** Its name has the instance id, so all that is below it is this node's. */
  readonly ownsCgroupParent: boolean;
  /** the beginning of the aliases of our links */
  readonly linkAlias: string;
  readonly nftTable: string;
  /** Whether bridge and table have been made. */
  readonly hasNetwork: boolean;
  readonly temporaryFolders: readonly string[];
}
