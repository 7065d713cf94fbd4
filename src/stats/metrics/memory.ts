import type { HugepageUsage } from "../../generated/berth/native/helper.ts";
import { counter, gauge, type Metric, sample } from "./metric.ts";

const hugepages = (name: string, help: string, read: (pages: HugepageUsage) => bigint | undefined): Metric => ({
  name,
  help,
  kind: "gauge",
  labels: ["pagesize"],
  read: ({ usage }) => (usage.details?.hugepages ?? []).flatMap((pages) => sample(read(pages), pages.pageSize)),
});

export const MEMORY_METRICS: readonly Metric[] = [
  gauge("container_memory_usage_bytes", "Memory, with pages that could be given back.", ({ usage }) => usage.memory?.usageBytes),
  gauge("container_memory_working_set_bytes", "Memory less inactive file pages.", ({ usage }) => usage.memory?.workingSetBytes),
  gauge("container_memory_rss", "Anonymous memory in bytes.", ({ usage }) => usage.memory?.rssBytes),
  gauge("container_memory_swap", "Swap in bytes.", ({ usage }) => usage.memory?.swapBytes),
  gauge("container_memory_cache", "Page cache in bytes.", ({ usage }) => usage.details?.memory?.cacheBytes),
  gauge("container_memory_mapped_file", "Mapped files in bytes.", ({ usage }) => usage.details?.memory?.mappedFileBytes),
  gauge("container_memory_kernel_usage", "Memory of the kernel in bytes.", ({ usage }) => usage.details?.memory?.kernelBytes),
  gauge("container_memory_max_usage_bytes", "The most memory so far.", ({ usage }) => usage.details?.memory?.mostBytes),
  counter("container_memory_failcnt", "How often the memory limit was hit.", ({ usage }) => usage.details?.memory?.limitHits),
  counter("container_oom_events_total", "Processes killed because memory ran out.", ({ usage }) => usage.memory?.oomKills),
  {
    name: "container_memory_failures_total",
    help: "Page faults, of the cgroup itself and with those below it.",
    kind: "counter",
    labels: ["failure_type", "scope"],
    read: ({ usage: { memory, details } }) => [
      ...sample(details?.memory?.ownPageFaults, "pgfault", "container"),
      ...sample(memory?.pageFaults, "pgfault", "hierarchy"),
      ...sample(details?.memory?.ownMajorPageFaults, "pgmajfault", "container"),
      ...sample(memory?.majorPageFaults, "pgmajfault", "hierarchy"),
    ],
  },
  hugepages("container_hugetlb_usage_bytes", "Huge pages in bytes.", ({ usageBytes }) => usageBytes),
  hugepages("container_hugetlb_max_usage_bytes", "The most huge pages so far, in bytes.", ({ mostBytes }) => mostBytes),
  gauge("container_spec_memory_limit_bytes", "Memory limit; 0: none.", ({ usage }) => usage.details?.spec?.memoryLimitBytes),
  gauge(
    "container_spec_memory_reservation_limit_bytes",
    "Memory that is kept for it; 0: none.",
    ({ usage }) => usage.details?.spec?.memoryReservationBytes,
  ),
  gauge(
    "container_spec_memory_swap_limit_bytes",
    "Limit of swap, with memory on cgroup v1; 0: none.",
    ({ usage }) => usage.details?.spec?.memorySwapLimitBytes,
  ),
];
