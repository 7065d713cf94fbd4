import type { StreamPodSandboxStatsRequest, StreamPodSandboxStatsResponse } from "../../generated/cri/runtime/v1/api.ts";
import { batches } from "../batches.ts";
import type { ServerStreamHandler } from "../edge.ts";
import { listPodSandboxStats } from "./list-pod-sandbox-stats.ts";

export const streamPodSandboxStats: ServerStreamHandler<StreamPodSandboxStatsRequest, StreamPodSandboxStatsResponse> = async function* (
  engine,
  request,
  context,
) {
  const { stats } = await listPodSandboxStats(engine, request, context);
  for (const podSandboxStats of batches(stats)) yield { podSandboxStats };
};
