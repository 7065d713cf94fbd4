import type { ContainerRecord } from "../../container/records.ts";
import type { ContainerStatsFilter, ListContainerStatsRequest, ListContainerStatsResponse } from "../../generated/cri/runtime/v1/api.ts";
import { toContainerStats } from "../convert/stats.ts";
import type { Handler } from "../edge.ts";
import { matchesLabels } from "../matches-labels.ts";

/** Of running containers; one that ends meanwhile is left out. */
export const listContainerStats: Handler<ListContainerStatsRequest, ListContainerStatsResponse> = async (engine, { filter }) => {
  const containers = engine.containers.list().filter((container) => container.state === "running" && matches(container, filter));
  const usages = await engine.usage.ofContainers(containers);
  return {
    stats: containers.flatMap((container) => {
      const usage = usages.get(container.id);
      return usage === undefined ? [] : [toContainerStats(container, usage, engine.images.mountpoint)];
    }),
  };
};

function matches(container: ContainerRecord, filter: ContainerStatsFilter | undefined): boolean {
  if (filter === undefined) return true;
  if (filter.id !== "" && !container.id.startsWith(filter.id)) return false;
  if (filter.podSandboxId !== "" && !container.sandboxId.startsWith(filter.podSandboxId)) return false;
  return matchesLabels(container.config.labels, filter.labelSelector);
}
