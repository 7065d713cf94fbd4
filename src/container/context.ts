// What the steps of a container's life share.
import type { Activities } from "../base/activity.ts";
import type { Clock } from "../base/clock.ts";
import type { AppArmor } from "./apparmor.ts";
import type { BlockedLogs } from "./blocked-logs.ts";
import type { ContainerId } from "../base/ids.ts";
import type { InHand } from "../base/in-hand.ts";
import type { KeyedLock } from "../base/keyed-lock.ts";
import type { Log } from "../base/log.ts";
import type { ImageService } from "../image/image-service.ts";
import type { Helper } from "../native-client/helper.ts";
import type { LifecycleEvents } from "../sandbox/events.ts";
import type { SandboxService } from "../sandbox/sandbox-service.ts";
import type { Collection } from "../store/collection.ts";
import type { RecordIndex } from "../store/record-index.ts";
import type { Store } from "../store/store.ts";
import type { CdiSpecFiles } from "./cdi/spec-files.ts";
import type { CompiledFilters } from "./compiled-filters.ts";
import type { ExitWaiters } from "./exit-waiters.ts";
import type { CheckpointOptions, OciRuntime } from "./oci-runtime.ts";
import type { MountSources } from "./mount-sources.ts";
import type { ContainerRecord } from "./records.ts";
import type { NodeFacts } from "./spec/build-spec.ts";

export interface ContainerContext {
  readonly store: Store;
  readonly records: Collection<ContainerRecord>;
  readonly bySandbox: RecordIndex<ContainerRecord>;
  readonly sandboxes: SandboxService;
  readonly images: ImageService;
  readonly helper: Helper;
  readonly lock: KeyedLock;
  readonly mountSources: MountSources;
  readonly exits: ExitWaiters;
  readonly filters: CompiledFilters;
  readonly blockedLogs: BlockedLogs;
  readonly clock: Clock;
  readonly activities: Activities;
  readonly events: LifecycleEvents;
  readonly log: Log;
  readonly node: NodeFacts;
  readonly cdiSpecs: CdiSpecFiles;
  readonly appArmor: AppArmor;
  /** whether a warning is a failure */
  readonly strict: boolean;
  /** --root */
  readonly root: string;
  /** of a handler */
  readonly runtime: (handler: string) => OciRuntime;
  /** of what is run by this handler, and soon: its first move to a cgroup need not wait then */
  readonly expectMoves: (handler: string) => void;
  /** how long one call of the runtime may take */
  readonly runtimeTimeoutMs: number;
  readonly checkpoints: CheckpointOptions;
  /** folders of checkpoints under way */
  readonly inHand: InHand;
  /** of pods that ask for it; 0n never rotates */
  readonly logRotation: { readonly maxBytes: bigint; readonly maxFiles: number };
}

/** @throws AgentError not-found */
export type FindContainer = (id: ContainerId) => ContainerRecord;
