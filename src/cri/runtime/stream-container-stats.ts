import type { StreamContainerStatsRequest, StreamContainerStatsResponse } from "../../generated/cri/runtime/v1/api.ts";
import { batches } from "../batches.ts";
import type { ServerStreamHandler } from "../edge.ts";
import { listContainerStats } from "./list-container-stats.ts";

export const streamContainerStats: ServerStreamHandler<StreamContainerStatsRequest, StreamContainerStatsResponse> = async function* (
  engine,
  request,
  context,
) {
  const { stats } = await listContainerStats(engine, request, context);
  for (const containerStats of batches(stats)) yield { containerStats };
};
