import test from "ava";
import { ContainerStats, LinuxPodSandboxStats, PodSandboxStats } from "../../../src/generated/cri/runtime/v1/api.ts";
import { message } from "../../../src/cli/message.ts";
import { statsRows } from "../../../src/cli/stats-rows.ts";
import { timelineRows } from "../../../src/cli/timeline-rows.ts";

const SECOND = 1_000_000_000n;
const attributes = (id: string, name: string) => ({
  id,
  metadata: { name, uid: "", namespace: "", attempt: 0 },
  labels: {},
  annotations: {},
});

function podStats(atNanos: bigint, cpuNanos: bigint, nodesRate?: bigint): PodSandboxStats {
  const nanoCores = nodesRate === undefined ? undefined : { value: nodesRate };
  const cpu = { timestamp: atNanos, usageCoreNanoSeconds: { value: cpuNanos }, usageNanoCores: nanoCores, psi: undefined };
  const containers = [message(ContainerStats, { attributes: attributes("c1", "web"), cpu })];
  const process = { timestamp: atNanos, processCount: { value: 3n } };
  return message(PodSandboxStats, {
    attributes: attributes("p1", "shop"),
    linux: message(LinuxPodSandboxStats, { cpu, process, containers }),
  });
}

test("a pod's row comes before its containers'", (t) => {
  const rows = statsRows(undefined, [podStats(SECOND, 0n)], new Map());
  t.deepEqual(
    rows.map(({ pod, container, pids }) => [pod, container, pids]),
    [
      ["shop", "", 3n],
      ["shop", "web", null],
    ],
  );
});

test("the rate is what was used between the answers, whatever others have asked", (t) => {
  const rows = statsRows([podStats(SECOND, 0n)], [podStats(3n * SECOND, SECOND, 7n)], new Map());
  t.deepEqual(
    rows.map(({ cpuPercent }) => cpuPercent),
    [50, 50],
  );
});

test("asked once, the rate is the node's, or none", (t) => {
  t.is(statsRows(undefined, [podStats(SECOND, 0n, 250_000_000n)], new Map())[0]?.cpuPercent, 25);
  t.is(statsRows(undefined, [podStats(SECOND, 0n)], new Map())[0]?.cpuPercent, null);
});

test("a pod that came between the answers has no rate yet", (t) => {
  t.is(statsRows([], [podStats(SECOND, 5n, 9n)], new Map())[0]?.cpuPercent, null);
});

test("a limit is shown where there is one", (t) => {
  t.is(statsRows(undefined, [podStats(SECOND, 0n)], new Map([["c1", 64n]]))[1]?.limitBytes, 64n);
  t.is(statsRows(undefined, [podStats(SECOND, 0n)], new Map([["c1", 0n]]))[1]?.limitBytes, null);
});

const stage = (name: string, startedAtNanos: bigint, durationNanos: bigint) => ({
  stage: name,
  containerId: "",
  startedAtNanos,
  durationNanos,
});

test("stages are told from the first one's start, and the total to the last one's end", (t) => {
  const rows = timelineRows([stage("a", 100n, 50n), stage("b", 120n, 10n), stage("c", 150n, 50n)], 10);
  t.deepEqual(
    rows.map(({ stage, atNanos, tookNanos }) => [stage, atNanos, tookNanos]),
    [
      ["a", 0n, 50n],
      ["b", 20n, 10n],
      ["c", 50n, 50n],
      ["total", 0n, 100n],
    ],
  );
  t.deepEqual(
    rows.map(({ bar }) => bar),
    ["#####", "  #", "     #####", ""],
  );
});

test("a stage that took no time is seen, also at the end", (t) => {
  const rows = timelineRows([stage("a", 0n, 100n), stage("b", 100n, 0n)], 10);
  t.is(rows[1]?.bar, "         #");
  t.is(timelineRows([stage("a", 5n, 0n)], 10)[0]?.bar, "#");
});

test("a pod without stages has a total of nothing", (t) => {
  t.deepEqual(timelineRows([], 10), [{ stage: "total", atNanos: 0n, tookNanos: 0n, bar: "" }]);
});
