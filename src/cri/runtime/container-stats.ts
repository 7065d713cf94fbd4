import type { ContainerStatsRequest, ContainerStatsResponse } from "../../generated/cri/runtime/v1/api.ts";
import { AgentError } from "../../base/errors.ts";
import { toContainerStats } from "../convert/stats.ts";
import type { Handler } from "../edge.ts";
import { resolveContainerId } from "../resolve-id.ts";

export const containerStats: Handler<ContainerStatsRequest, ContainerStatsResponse> = async (engine, request) => {
  const container = engine.containers.get(resolveContainerId(engine, request.containerId));
  const usage = (await engine.usage.ofContainers([container])).get(container.id);
  if (usage === undefined)
    throw new AgentError("not-found", `read usage of container ${container.id}: it is ${container.state} and has no cgroup`);
  return { stats: toContainerStats(container, usage, engine.images.mountpoint) };
};
