import { gauge, type Metric, sample, seconds } from "./metric.ts";

export const PROCESS_METRICS: readonly Metric[] = [
  gauge("container_processes", "Processes.", ({ usage }) => usage.details?.processes?.processes),
  gauge("container_threads", "Threads.", ({ usage }) => usage.pids?.current),
  gauge("container_threads_max", "The most threads that there may be; 0: any number.", ({ usage }) => usage.pids?.limit),
  gauge("container_file_descriptors", "Open file descriptors.", ({ usage }) => usage.details?.processes?.fileDescriptors),
  gauge("container_sockets", "Open sockets.", ({ usage }) => usage.details?.processes?.sockets),
  {
    name: "container_ulimits_soft",
    help: "Soft limits of the first process.",
    kind: "gauge",
    labels: ["ulimit"],
    read: ({ usage }) => sample(usage.details?.processes?.openFilesLimit, "max_open_files"),
  },
  gauge("container_start_time_seconds", "When it was started, in seconds since the epoch.", ({ startedAtNanos }) =>
    seconds(startedAtNanos),
  ),
  gauge("container_last_seen", "When it was measured, in seconds since the epoch.", ({ usage }) => seconds(usage.timestampNanos)),
];
