import type { PressureStats } from "../../generated/berth/native/helper.ts";
import { counter, gauge, type Metric, type MetricSource, sample, seconds } from "./metric.ts";

const stalled = (resource: string, read: (source: MetricSource) => PressureStats | undefined): Metric[] => {
  const total = (micros: bigint | undefined): bigint | undefined => (micros === undefined ? undefined : seconds(micros * 1000n));
  return [
    counter(`container_pressure_${resource}_stalled_seconds_total`, `Time in which all tasks waited for ${resource}.`, (source) =>
      total(read(source)?.full?.totalMicros),
    ),
    counter(`container_pressure_${resource}_waiting_seconds_total`, `Time in which a task or more waited for ${resource}.`, (source) =>
      total(read(source)?.some?.totalMicros),
    ),
  ];
};

export const CPU_METRICS: readonly Metric[] = [
  {
    name: "container_cpu_usage_seconds_total",
    help: "CPU time, of all CPUs together.",
    kind: "counter",
    labels: ["cpu"],
    read: ({ usage }) => sample(seconds(usage.cpu.usageNanos), "total"),
  },
  counter("container_cpu_user_seconds_total", "CPU time in programs.", ({ usage }) => seconds(usage.details?.cpuUserNanos)),
  counter("container_cpu_system_seconds_total", "CPU time in the kernel.", ({ usage }) => seconds(usage.details?.cpuSystemNanos)),
  counter("container_cpu_cfs_periods_total", "Periods of the CPU limit in which something ran.", ({ usage }) => usage.cpu.periods),
  counter("container_cpu_cfs_throttled_periods_total", "Those in which it was throttled.", ({ usage }) => usage.cpu.throttledPeriods),
  counter("container_cpu_cfs_throttled_seconds_total", "Time for which it was throttled.", ({ usage }) =>
    seconds(usage.cpu.throttledNanos),
  ),
  ...stalled("cpu", ({ usage }) => usage.cpu.pressure),
  ...stalled("memory", ({ usage }) => usage.memory?.pressure),
  ...stalled("io", ({ usage }) => usage.io?.pressure),
  gauge("container_spec_cpu_shares", "CPU shares.", ({ usage }) => usage.details?.spec?.cpuShares),
  gauge("container_spec_cpu_period", "Period of the CPU limit in microseconds.", ({ usage }) => usage.details?.spec?.cpuPeriodMicros),
  gauge("container_spec_cpu_quota", "CPU time of a period in microseconds.", ({ usage }) => usage.details?.spec?.cpuQuotaMicros),
];
