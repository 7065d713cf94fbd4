import test from "ava";
import { message } from "../../../src/cli/message.ts";
import { statsRows } from "../../../src/cli/stats-rows.ts";
import { timelineRows } from "../../../src/cli/timeline-rows.ts";
import { type PodUsage, ResourceUsage } from "../../../src/generated/berth/v1/berth.ts";

const SECOND = 1_000_000_000n;

/** A pod of one container, both with the same usage. */
const podUsage = (change: Partial<ResourceUsage>): PodUsage => {
  const usage = message(ResourceUsage, change);
  return { podSandboxId: "p1", name: "shop", namespace: "", usage, containers: [{ containerId: "c1", name: "web", usage }] };
};
const used = (timestampNanos: bigint, cpuNanos: bigint, cpuNanoCores?: bigint): PodUsage =>
  podUsage({ timestampNanos, cpuNanos, ...(cpuNanoCores === undefined ? {} : { cpuNanoCores }) });

test("a pod's row comes before its containers'", (t) => {
  const rows = statsRows(undefined, [podUsage({ pids: 3n })]);
  t.deepEqual(
    rows.map(({ pod, container, pids }) => [pod, container, pids]),
    [
      ["shop", "", 3n],
      ["shop", "web", 3n],
    ],
  );
});

test("the rate is what was used between the answers, whatever others have asked", (t) => {
  const rows = statsRows([used(SECOND, 0n)], [used(3n * SECOND, SECOND, 7n)]);
  t.deepEqual(
    rows.map(({ cpuPercent }) => cpuPercent),
    [50, 50],
  );
});

test("asked once, the rate is the node's, or none", (t) => {
  t.is(statsRows(undefined, [used(SECOND, 0n, 250_000_000n)])[0]?.cpuPercent, 25);
  t.is(statsRows(undefined, [used(SECOND, 0n)])[0]?.cpuPercent, null);
});

test("a pod that came between the answers has no rate yet", (t) => {
  t.is(statsRows([], [used(SECOND, 5n, 9n)])[0]?.cpuPercent, null);
});

test("a pod's writable layers are those of its containers, as far as they are known", (t) => {
  const layer = { timestampNanos: 1n, bytes: 4096n, inodes: 2n };
  const pod = podUsage({ writableLayer: layer });
  const other = { containerId: "c2", name: "new", usage: message(ResourceUsage, {}) };
  const twin = { containerId: "c3", name: "twin", usage: pod.containers[0]?.usage };
  const rows = statsRows(undefined, [{ ...pod, containers: [...pod.containers, other, twin] }]);
  t.deepEqual(
    rows.map(({ layerBytes, layerInodes }) => [layerBytes, layerInodes]),
    [
      [8192n, 4n],
      [4096n, 2n],
      [null, null],
      [4096n, 2n],
    ],
  );
});

test("what the node does not say is null, and zero is zero", (t) => {
  t.like(statsRows(undefined, [podUsage({})])[0], { limitBytes: null, swapBytes: null, readBytes: null, layerBytes: null });
  t.like(statsRows(undefined, [podUsage({ swapBytes: 0n, memoryLimitBytes: 64n })])[0], { swapBytes: 0n, limitBytes: 64n });
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
