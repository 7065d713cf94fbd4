import { gauge, type Metric } from "./metric.ts";

/** cAdvisor has none of them. */
export const LOG_METRICS: readonly Metric[] = [
  gauge("container_log_blocked", "1 while the container waits for room for its log, else 0.", ({ isLogBlocked }) =>
    isLogBlocked === undefined ? undefined : BigInt(isLogBlocked),
  ),
];
