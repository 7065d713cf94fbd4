import type { StreamPodSandboxMetricsRequest, StreamPodSandboxMetricsResponse } from "../../generated/cri/runtime/v1/api.ts";
import { batches } from "../batches.ts";
import type { ServerStreamHandler } from "../edge.ts";
import { measurable, metricsOf } from "./list-pod-sandbox-metrics.ts";

// Metrics of a pod are tens of kilobytes a container.
const PODS_A_MESSAGE = 10;

/** Each message is measured when the one before it has been taken. */
export const streamPodSandboxMetrics: ServerStreamHandler<StreamPodSandboxMetricsRequest, StreamPodSandboxMetricsResponse> =
  async function* (engine) {
    for (const sandboxes of batches(measurable(engine), PODS_A_MESSAGE)) yield { podSandboxMetrics: await metricsOf(engine, sandboxes) };
  };
