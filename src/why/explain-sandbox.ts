// What a pod waits for when no call is under way. Pure.
import type { ContainerRecord } from "../container/records.ts";
import type { ShimContainer } from "../generated/berth/native/shim.ts";
import type { SandboxRecord } from "../sandbox/records.ts";
import type { ShimBuild } from "../sandbox/shims.ts";
import { type Answer, still } from "./answer.ts";

export interface NetworkWords {
  /** why pods can't have a network now */
  readonly problem: string | undefined;
  /** of other tables' rules that may be in our way */
  readonly warnings: readonly string[];
}

export interface ShimWords {
  readonly containers: readonly ShimContainer[];
  /** of the shim itself */
  readonly notes: readonly string[];
}

export function explainSandbox(
  sandbox: SandboxRecord,
  containers: readonly ContainerRecord[],
  shim: ShimWords,
  network: NetworkWords,
  nowNanos: bigint,
): Answer {
  const { state, createdAtNanos, warnings, config } = sandbox;
  if (state === "planned") return still("it did not start, and the next audit takes back what is left of it,", createdAtNanos, nowNanos);
  if (state !== "ready") return still("it is stopped, and stays on record until it is removed", 0n, nowNanos);
  const notes = [
    countWords(containers),
    ...shim.notes,
    ...containers.flatMap((container) => blockedWords(container, shim.containers)),
    ...warnings,
    ...(config.network === "bridge" ? networkNotes(network) : []),
  ];
  return still("ready", createdAtNanos, nowNanos, notes);
}

export function networkNotes({ problem, warnings }: NetworkWords): string[] {
  return problem === undefined ? [...warnings] : [`the network is not ready: ${problem}`, ...warnings];
}

/** "web waits for room for its log, which can't be written: write log /var/log/web.log: …" */
function blockedWords({ id, config }: ContainerRecord, all: readonly ShimContainer[]): string[] {
  const shim = all.find(({ containerId }) => containerId === id);
  if (shim?.logBlocked !== true) return [];
  const cause = shim.logFailure === "" ? "" : `: ${shim.logFailure}`;
  return [`${config.name} waits for room for its log, which can't be written${cause}`];
}

/** What is worth knowing of the build of a pod's shim. */
export function buildNotes(shim: ShimBuild | undefined): string[] {
  if (shim === undefined) return [];
  if (shim.problem !== undefined) return [shim.problem];
  return shim.isInstalled ? [] : ["its shim is of another build than new pods get, and goes on as it is"];
}

/** "containers: 2 running, 1 exited" */
function countWords(containers: readonly ContainerRecord[]): string {
  const counts = [...Map.groupBy(containers, ({ state }) => state)].map(([state, all]) => `${all.length} ${state}`);
  return counts.length === 0 ? "it has no container" : `containers: ${counts.join(", ")}`;
}
