// What this kernel may not have: pressure, huge pages, devices that are counted.
import test from "ava";
import type { MetricSource } from "../../../src/stats/metrics/metric.ts";
import { ALL_METRICS } from "../../../src/stats/metrics/metrics.ts";
import type { MeasuredUsage } from "../../../src/stats/usage-service.ts";

const stalled = (totalMicros: bigint) => ({ totalMicros, avg10: 0, avg60: 0, avg300: 0 });

const nothing: MeasuredUsage = {
  key: "c",
  timestampNanos: 1_900_000_000n,
  cpu: { usageNanos: 2_999_999_999n, pressure: undefined },
  nanoCores: undefined,
  memory: undefined,
  pids: undefined,
  network: undefined,
  io: undefined,
  details: undefined,
  writableLayer: undefined,
};

const source = (usage: Partial<MeasuredUsage>): MetricSource => ({
  usage: { ...nothing, ...usage },
  startedAtNanos: 1_500_000_000n,
  disk: undefined,
  isLogBlocked: undefined,
});

/** All samples, by name; labels before the value. */
const samples = (from: MetricSource): Record<string, readonly (readonly (string | bigint)[])[]> =>
  Object.fromEntries(
    ALL_METRICS.map(({ name, read }) => [
      name.replace("container_", ""),
      read(from).map(({ labels, value }) => [...labels, value] as const),
    ]).filter(([, found]) => (found?.length ?? 0) > 0),
  );

test("where the kernel says nothing but cpu time, there is that and the times, in whole seconds", (t) => {
  t.deepEqual(samples(source({})), {
    cpu_usage_seconds_total: [["total", 2n]],
    last_seen: [[1n]],
    start_time_seconds: [[1n]],
  });
});

test("of a container it is told whether it waits for room for its log", (t) => {
  for (const [isLogBlocked, value] of [
    [true, 1n],
    [false, 0n],
  ] as const)
    t.deepEqual(samples({ ...source({}), isLogBlocked })["log_blocked"], [[value]]);
});

test("pressure is told for who waited and for all, and what is not said of all is absent", (t) => {
  const pressure = { some: stalled(3_900_000n), full: undefined };
  const found = samples(
    source({ cpu: { usageNanos: 0n, pressure }, io: { counters: undefined, pressure: { some: stalled(2n), full: stalled(1_000_000n) } } }),
  );
  t.deepEqual(found["pressure_cpu_waiting_seconds_total"], [[3n]]);
  t.is(found["pressure_cpu_stalled_seconds_total"], undefined);
  t.deepEqual(found["pressure_io_waiting_seconds_total"], [[0n]]);
  t.deepEqual(found["pressure_io_stalled_seconds_total"], [[1n]]);
  t.is(found["pressure_memory_waiting_seconds_total"], undefined);
});

test("huge pages are told by their size, and disk by its device and what was done", (t) => {
  const counters = { readBytes: 4096n, writtenBytes: 512n, reads: 2n, writes: 1n };
  const details = {
    cpuUserNanos: undefined,
    cpuSystemNanos: undefined,
    memory: undefined,
    spec: undefined,
    processes: undefined,
    interfaces: [],
    hugepages: [
      { pageSize: "1GB", usageBytes: 0n, mostBytes: undefined },
      { pageSize: "2MB", usageBytes: 4n, mostBytes: 6n },
    ],
    devices: [{ major: 8, minor: 16, device: "/dev/sdb", counters }],
  };
  t.like(samples(source({ details })), {
    hugetlb_usage_bytes: [
      ["1GB", 0n],
      ["2MB", 4n],
    ],
    hugetlb_max_usage_bytes: [["2MB", 6n]],
    fs_reads_bytes_total: [["/dev/sdb", 4096n]],
    fs_writes_total: [["/dev/sdb", 1n]],
    blkio_device_usage_total: [
      ["/dev/sdb", "8", "16", "Read", 4096n],
      ["/dev/sdb", "8", "16", "Write", 512n],
    ],
  });
});
