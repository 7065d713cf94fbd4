// All moments at which the crash suite ends a process of Berth: between a record and its effect, or between two effects. Those of berthd
// are in src/ (`base/failpoint.ts`), where it runs from its sources; those of helper and shim in native/ (`sys/src/failpoint.rs`), in
// builds with the feature `failpoints`. test/unit/base/failpoint.test.ts holds this list to the sources.
import type { HelperRequest } from "../../src/generated/berth/native/helper.ts";
import type { ShimRequest } from "../../src/generated/berth/native/shim.ts";

type HelperCall = NonNullable<HelperRequest["call"]>["$case"];
type ShimCall = NonNullable<ShimRequest["call"]>["$case"];

const RECORDS = ["sandbox", "container", "event", "endpoint", "network", "image", "image-use", "snapshot", "blob"] as const;

const HELPER_CALLS = [
  "hello",
  "ensureNetwork",
  "removeNetwork",
  "startSandbox",
  "detachEndpoint",
  "updateCgroup",
  "killCgroup",
  "removeCgroup",
  "unpackLayer",
  "removeTree",
  "killProcess",
  "listObjects",
  "shutdown",
] as const satisfies readonly HelperCall[];

const SHIM_CALLS = [
  "hello",
  "createContainer",
  "ensurePodPid",
  "startContainer",
  "signal",
  "deleteContainer",
  "reopenLog",
  "shutdown",
] as const satisfies readonly ShimCall[];

const around = (before: string, after: string, names: readonly string[]): string[] =>
  names.flatMap((name) => [`${before} ${name}`, `${after} ${name}`]);

export const BERTHD_FAILPOINTS: readonly string[] = [
  ...around("commit", "committed", RECORDS),
  ...around("sent helper", "answered helper", HELPER_CALLS),
  ...around("sent shim", "answered shim", SHIM_CALLS),
  "sent shim exec",
];

/** Files of images on their way in and out; sweep-images.ts comes by. */
const FILES = [
  "cleared half blobs",
  "made blob file",
  "wrote part of blob file",
  "wrote blob file",
  "synced blob file",
  "renamed blob file",
  "removed blob file",
  "wrote archive file",
  "removed archive file",
] as const;

/** All records and effects of bringing and removing an image. */
export const IMAGE_FAILPOINTS: readonly string[] = [
  ...FILES,
  ...around("commit", "committed", ["image", "image-use", "snapshot", "blob"] satisfies (typeof RECORDS)[number][]),
  ...around("sent helper", "answered helper", ["unpackLayer", "removeTree"] satisfies HelperCall[]),
];

export const NATIVE_FAILPOINTS: readonly string[] = [
  "helper: listens",
  "helper: answers",
  "helper: made bridge",
  "helper: made table",
  "helper: wrote settings",
  "helper: listens on ports",
  "helper: added ports",
  "helper: made cgroup",
  "helper: applied limits",
  "helper: made folder",
  "helper: started shim",
  "helper: attached endpoint",
  "helper: started port proxy",
  "helper: updated cgroup",
  "helper: killed process",
  "helper: deleted link",
  "helper: removed ports",
  "helper: killed cgroup",
  "helper: removed cgroup",
  "helper: removed folder",
  "helper: deleted bridge",
  "helper: deleted table",
  "helper: removed its socket",
  "shim: made mounts",
  "shim: made namespaces",
  "shim: listens",
  "shim: said that it is ready",
  "shim: made container's folder",
  "shim: mounted root",
  "shim: created container",
  "shim: forked PID 1",
  "shim: wrote spec",
  "shim: opened log",
  "shim: runtime creates",
  "shim: holds process",
  "shim: started process",
  "shim: told start",
  "shim: took start back",
  "shim: made cgroup of exec",
  "shim: runtime execs",
  "shim: exec runs",
  "shim: exec ended",
  "shim: reopened log",
  "shim: set log aside",
  "shim: began new log",
  "shim: process ended",
  "shim: wrote exit",
  "shim: told exit",
  "shim: runtime deletes",
  "shim: runtime has deleted",
  "shim: unmounted root",
  "shim: deleted container",
  "shim: shuts down",
  "shim: removed its socket",
  "shim: unmounted its places",
];
