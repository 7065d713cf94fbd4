import test from "ava";
import { toContainerStats, toPodSandboxStats } from "../../../../src/cri/convert/stats.ts";
import type { MeasuredUsage } from "../../../../src/stats/usage-service.ts";
import { containerRecord, sandboxRecord } from "../../../lib/records.ts";

const stalled = (totalMicros: bigint) => ({ totalMicros, avg10: 1.5, avg60: 0.25, avg300: 0.1 });
const pressure = (totalMicros: bigint) => ({ some: stalled(totalMicros), full: stalled(totalMicros + 1n) });
const psi = (total: bigint) => ({
  Some: { Total: total, Avg10: 1.5, Avg60: 0.25, Avg300: 0.1 },
  Full: { Total: total + 1n, Avg10: 1.5, Avg60: 0.25, Avg300: 0.1 },
});

/** All that a kernel with cgroup v2 and pressure says. */
const full: MeasuredUsage = {
  key: "c",
  timestampNanos: 9n,
  nanoCores: 250n,
  cpu: { usageNanos: 1000n, throttledPeriods: 1n, throttledNanos: 2n, periods: 3n, pressure: pressure(10n) },
  memory: {
    usageBytes: 800n,
    workingSetBytes: 700n,
    rssBytes: 600n,
    pageFaults: 5n,
    majorPageFaults: 4n,
    limitBytes: 1000n,
    swapBytes: 64n,
    swapLimitBytes: 100n,
    oomKills: 0n,
    pressure: pressure(20n),
  },
  pids: { current: 3n, limit: 0n },
  network: {
    name: "",
    rxBytes: 11n,
    rxErrors: 12n,
    rxPackets: 0n,
    rxDropped: 0n,
    txBytes: 13n,
    txErrors: 14n,
    txPackets: 0n,
    txDropped: 0n,
  },
  details: undefined,
  io: { counters: { readBytes: 1n, writtenBytes: 2n, reads: 3n, writes: 4n }, pressure: pressure(30n) },
  writableLayer: { key: "c", timestampNanos: 8n, bytes: 4096n, inodes: 2n },
};
/** What is left on v1: neither pressure nor swap, no limit, and nothing measured yet. */
const least: MeasuredUsage = {
  ...full,
  nanoCores: undefined,
  cpu: { ...full.cpu, pressure: undefined },
  memory: full.memory && { ...full.memory, limitBytes: 0n, swapBytes: undefined, swapLimitBytes: undefined, pressure: undefined },
  network: undefined,
  io: full.io && { ...full.io, pressure: undefined },
  writableLayer: undefined,
};

test("every field of a container's stats is filled with what the kernel says", (t) => {
  t.like(toContainerStats(containerRecord(), full, "/disk"), {
    cpu: { timestamp: 9n, usageCoreNanoSeconds: { value: 1000n }, usageNanoCores: { value: 250n }, psi: psi(10n) },
    memory: {
      timestamp: 9n,
      workingSetBytes: { value: 700n },
      availableBytes: { value: 300n },
      usageBytes: { value: 800n },
      rssBytes: { value: 600n },
      pageFaults: { value: 5n },
      majorPageFaults: { value: 4n },
      psi: psi(20n),
    },
    writableLayer: { timestamp: 8n, fsId: { mountpoint: "/disk" }, usedBytes: { value: 4096n }, inodesUsed: { value: 2n } },
    swap: { timestamp: 9n, swapAvailableBytes: { value: 36n }, swapUsageBytes: { value: 64n } },
    io: { timestamp: 9n, psi: psi(30n) },
  });
});

test("what the kernel does not say is absent, and not zero", (t) => {
  const { cpu, memory, writableLayer, swap, io } = toContainerStats(containerRecord(), least, "/disk");
  t.deepEqual([cpu?.usageNanoCores, cpu?.psi, memory?.availableBytes, memory?.psi], [undefined, undefined, undefined, undefined]);
  t.deepEqual([writableLayer, swap, io], [undefined, undefined, undefined]);
  const noSwapLimit = { ...least, memory: least.memory && { ...least.memory, swapBytes: 0n } };
  const stats = toContainerStats(containerRecord(), noSwapLimit, "/disk");
  t.deepEqual(stats.swap, { timestamp: 9n, swapAvailableBytes: undefined, swapUsageBytes: { value: 0n } });
});

test("what is over its limit has nothing left", (t) => {
  const memory = full.memory && { ...full.memory, limitBytes: 1n, swapLimitBytes: 1n };
  const stats = toContainerStats(containerRecord(), { ...full, memory }, "/disk");
  t.deepEqual([stats.memory?.availableBytes, stats.swap?.swapAvailableBytes], [{ value: 0n }, { value: 0n }]);
});

test("a pod's stats have its network, its processes and its containers", (t) => {
  const container = containerRecord();
  const measured = { sandbox: sandboxRecord(), usage: full, containers: [{ container, usage: full, isLogBlocked: false }] };
  const { linux } = toPodSandboxStats(measured, "/disk");
  t.like(linux, {
    network: {
      timestamp: 9n,
      defaultInterface: {
        name: "eth0",
        rxBytes: { value: 11n },
        rxErrors: { value: 12n },
        txBytes: { value: 13n },
        txErrors: { value: 14n },
      },
      interfaces: [],
    },
    process: { timestamp: 9n, processCount: { value: 3n } },
    io: { timestamp: 9n, psi: psi(30n) },
    cpu: { psi: psi(10n) },
  });
  t.deepEqual(
    linux?.containers.map(({ attributes }) => attributes?.id),
    [container.id],
  );
});
