import test from "ava";
import { changeResources, podLimits } from "../../../src/sandbox/pod-limits.ts";

const limits = { oomScoreAdj: 0, unified: {}, cpuShares: 512n, cpuQuotaMicros: 50_000n, memoryLimitBytes: 100n };
const overhead = { oomScoreAdj: 0, unified: {}, cpuShares: 128n, cpuQuotaMicros: 10_000n, memoryLimitBytes: 20n };

test("a pod may use what its containers may, and what it needs besides", (t) => {
  t.like(podLimits({ resources: limits, overhead }), { cpuShares: 640n, cpuQuotaMicros: 60_000n, memoryLimitBytes: 120n });
  t.is(podLimits({ resources: limits, overhead: undefined }), limits);
});

test("without a limit of its containers a pod has none", (t) => {
  t.is(podLimits({ resources: undefined, overhead }), undefined);
  t.like(podLimits({ resources: { ...limits, memoryLimitBytes: 0n, cpuQuotaMicros: -1n }, overhead }), {
    memoryLimitBytes: 0n,
    cpuQuotaMicros: -1n,
  });
});

test("a change leaves what it does not name", (t) => {
  const before = { ...limits, unified: { "pids.max": "9" } };
  t.deepEqual(changeResources(before, { cpuShares: 2n, unified: { "memory.high": "1" } }), {
    ...limits,
    cpuShares: 2n,
    unified: { "pids.max": "9", "memory.high": "1" },
    hugepageLimits: {},
  });
});
