// A difference between the records and what exists, and what would mend it.
import type { Resources } from "../sandbox/records.ts";

export type ObjectClass =
  | "pod"
  | "container"
  | "shim"
  | "port proxy"
  | "mount"
  | "cgroup"
  | "network"
  | "link"
  | "address"
  | "host port"
  | "socket"
  | "state folder"
  | "bundle"
  | "writable layer"
  | "layer"
  | "blob"
  | "temporary file";

/** One step, which looks again for itself where no lock of a pod covers it. "none" says what a person can do. */
type Mend =
  | { readonly step: "none"; readonly advice: string }
  | { readonly step: "settle-pod" }
  | { readonly step: "kill-process"; readonly pid: number; readonly startTicks: bigint }
  | { readonly step: "release-mount"; readonly path: string; readonly shimPid: number; readonly shimStartTicks: bigint }
  | { readonly step: "delete-link"; readonly name: string }
  | { readonly step: "release-address" }
  | { readonly step: "make-network" }
  | { readonly step: "remove-cgroup"; readonly path: string; readonly pruneParent: string }
  | { readonly step: "make-cgroup"; readonly path: string; readonly resources: Resources | undefined }
  | { readonly step: "remove-file"; readonly path: string }
  | { readonly step: "remove-folder"; readonly path: string }
  | { readonly step: "remove-layer-folder"; readonly name: string }
  | { readonly step: "remove-blob-file"; readonly digest: string }
  | { readonly step: "forget-layer"; readonly chainId: string }
  | { readonly step: "forget-blob"; readonly digest: string };

export interface Difference {
  readonly class: ObjectClass;
  /** what it is called in the kernel, on disk or in the records */
  readonly object: string;
  /** the pod it belongs to, or belonged to; "" for none */
  readonly sandboxId: string;
  /** the container it belongs to, or belonged to; "" for none */
  readonly containerId: string;
  /** after "it" or the object: "has no record" */
  readonly problem: string;
  readonly mend: Mend;
}

/** The order in which a pod is taken down: what holds another thing goes first. */
const ORDER: readonly Mend["step"][] = [
  "settle-pod",
  "kill-process",
  "release-mount",
  "delete-link",
  "release-address",
  "make-network",
  "remove-cgroup",
  "make-cgroup",
  "remove-file",
  "remove-folder",
];

export const inMendingOrder = (differences: readonly Difference[]): Difference[] =>
  differences.toSorted((a, b) => ORDER.indexOf(a.mend.step) - ORDER.indexOf(b.mend.step));

/** The same for the same thing, whenever it is seen. */
export const keyOf = ({ class: kind, object, problem }: Difference): string => `${kind} ${object}: ${problem}`;
