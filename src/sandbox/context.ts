// What the steps of a sandbox's life share.
import { join } from "node:path";
import type { Activities } from "../base/activity.ts";
import type { Clock } from "../base/clock.ts";
import { AgentError } from "../base/errors.ts";
import type { SandboxId } from "../base/ids.ts";
import type { KeyedLock } from "../base/keyed-lock.ts";
import type { Log } from "../base/log.ts";
import type { Helper } from "../native-client/helper.ts";
import type { NetworkService } from "../network/network-service.ts";
import type { Collection } from "../store/collection.ts";
import type { RecordIndex } from "../store/record-index.ts";
import type { Store } from "../store/store.ts";
import type { SandboxContents } from "./contents.ts";
import type { LifecycleEvents } from "./events.ts";
import type { SandboxRecord } from "./records.ts";
import type { Shims } from "./shims.ts";

export interface SandboxContext {
  readonly store: Store;
  readonly records: Collection<SandboxRecord>;
  readonly byCgroup: RecordIndex<SandboxRecord>;
  readonly helper: Helper;
  readonly network: NetworkService;
  readonly shims: Shims;
  readonly lock: KeyedLock;
  readonly clock: Clock;
  readonly activities: Activities;
  readonly events: LifecycleEvents;
  readonly log: Log;
  readonly bootId: string;
  /** whether a warning is a failure */
  readonly strict: boolean;
  /** --state */
  readonly state: string;
  /** of pods that name no parent: "/berth-<instance>" */
  readonly cgroupParent: string;
  /** that nobody else puts anything in: "/berth-<instance>" */
  readonly ownCgroup: string;
  /** that new pods get; undefined when that is not known */
  readonly shimProgram: string | undefined;
  /** runtime handlers that may be asked for */
  readonly handlers: ReadonlySet<string>;
  /** of what is run by this handler, and soon: its first move to a cgroup need not wait then */
  readonly expectMoves: (handler: string) => void;
  readonly contents: () => SandboxContents;
}

/** Where the shim may have cgroups of its own that limit nothing; wherever the pod's is. */
export const execCgroupPath = ({ ownCgroup }: Pick<SandboxContext, "ownCgroup">, id: SandboxId): string => `${ownCgroup}/${id}`;

// sun_path holds 108 bytes with its end.
const LONGEST_SOCKET_PATH = 107;
const SOCKET_ID_DIGITS = 24;

/** The folder and socket of a sandbox. @throws AgentError invalid-argument when --state is too long for a socket */
export function sandboxPaths(state: string, id: SandboxId): { readonly stateDir: string; readonly socketPath: string } {
  const socketPath = join(state, "s", id.slice(0, SOCKET_ID_DIGITS));
  if (Buffer.byteLength(socketPath) > LONGEST_SOCKET_PATH) {
    throw new AgentError(
      "invalid-argument",
      `place socket of pod ${id}: ${socketPath} is over ${LONGEST_SOCKET_PATH} bytes; choose a shorter --state`,
    );
  }
  return { stateDir: join(state, "pods", id), socketPath };
}
