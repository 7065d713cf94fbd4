// What the calls under way wait for. Pure.
import type { Activity } from "../base/activity.ts";
import type { ShimContainer } from "../generated/berth/native/shim.ts";
import { type Answer, duration, waiting } from "./answer.ts";

/** By stage: after "waits for". */
const STAGES: Readonly<Record<string, string>> = {
  "": "its turn",
  network: "the pod network to be made",
  record: "its record to be written",
  start: "the OCI runtime",
  files: "its files in /etc to be written",
  connect: "the shim to listen",
  undo: "what was made to be taken back",
  mounts: "the sources of its mounts and devices to answer",
  root: "the shim to mount its root",
  "pid namespace": "the pod's PID namespace to be made",
  lock: "another call on the container",
  handler: "the program to have a handler for its stop signal",
  shim: "its shim to answer",
  containers: "its containers to end",
  teardown: "the kernel to let go of its namespaces, links and cgroup",
  manifest: "the registry to send the manifest",
  config: "the registry to send the config",
};

const SIGNALS: Readonly<Record<string, string>> = { "1": "SIGHUP", "2": "SIGINT", "3": "SIGQUIT", "9": "SIGKILL", "15": "SIGTERM" };

/** The call that holds up the others, with those that wait for it. @param shim of the container that it is about, where it has answered */
export function explainActivities(
  activities: readonly Activity[],
  shim: ShimContainer | undefined,
  notes: readonly string[],
  nowNanos: bigint,
): Answer | undefined {
  const main = activities.find(({ waitsForLock }) => !waitsForLock) ?? activities[0];
  if (main === undefined) return undefined;
  const behind = activities.filter((each) => each !== main && each.objectId === main.objectId && each.waitsForLock);
  const queue = behind.map(({ call, sinceNanos }) => `${call} waits for it since ${duration(nowNanos - sinceNanos)}`);
  const { waitsFor, sinceNanos } = stageOf(main, shim, nowNanos);
  return waiting(main.call, waitsFor, sinceNanos, nowNanos, [...queue, ...notes], main.untilNanos);
}

function stageOf(activity: Activity, shim: ShimContainer | undefined, nowNanos: bigint): { waitsFor: string; sinceNanos: bigint } {
  const { call, stage, stageSinceNanos: sinceNanos, untilNanos, waitsForLock } = activity;
  if (waitsForLock) return { waitsFor: "the lock, which is being handed on", sinceNanos: activity.sinceNanos };
  if (call === "RunPodSandbox" && stage === "start") return { waitsFor: "the helper to make cgroup, namespaces and links", sinceNanos };
  if (stage === "start" && shim !== undefined && shim.waitsFor !== "") {
    const since = shim.waitsSinceNanos === 0n ? sinceNanos : shim.waitsSinceNanos;
    return { waitsFor: `the OCI runtime's ${shim.waitsFor}`, sinceNanos: since };
  }
  const [kind, value = ""] = stage.split(" ");
  if (kind === "signal") {
    const next = value === "9" ? "" : `, and SIGKILL follows in ${duration(untilNanos - nowNanos)}`;
    return { waitsFor: `the process to end: ${SIGNALS[value] ?? `signal ${value}`} was sent${next}`, sinceNanos };
  }
  if (kind === "layers") return { waitsFor: `its layers: ${value.replace("/", " of ")} are there`, sinceNanos };
  return { waitsFor: STAGES[stage] ?? stage, sinceNanos };
}
