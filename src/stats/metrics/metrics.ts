// The metrics of ListPodSandboxMetrics, with the names that cAdvisor has given them.
import { CPU_METRICS } from "./cpu.ts";
import { DISK_METRICS } from "./disk.ts";
import { LOG_METRICS } from "./log.ts";
import { MEMORY_METRICS } from "./memory.ts";
import type { Metric } from "./metric.ts";
import { NETWORK_METRICS } from "./network.ts";
import { PROCESS_METRICS } from "./process.ts";

/** Of a pod's cgroup and of those of its containers. */
export const CGROUP_METRICS: readonly Metric[] = [...CPU_METRICS, ...MEMORY_METRICS, ...DISK_METRICS, ...PROCESS_METRICS, ...LOG_METRICS];

export const ALL_METRICS: readonly Metric[] = [...CGROUP_METRICS, ...NETWORK_METRICS].sort((a, b) => (a.name < b.name ? -1 : 1));
