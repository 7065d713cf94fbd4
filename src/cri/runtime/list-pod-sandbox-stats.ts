import type { ListPodSandboxStatsRequest, ListPodSandboxStatsResponse, PodSandboxStats } from "../../generated/cri/runtime/v1/api.ts";
import type { SandboxRecord } from "../../sandbox/records.ts";
import { toPodSandboxStats } from "../convert/stats.ts";
import type { Handler } from "../edge.ts";
import type { Engine } from "../engine.ts";
import { matchesLabels } from "../matches-labels.ts";

export const listPodSandboxStats: Handler<ListPodSandboxStatsRequest, ListPodSandboxStatsResponse> = async (engine, { filter }) => {
  const sandboxes = engine.sandboxes
    .list()
    .filter((sandbox) => sandbox.state === "ready")
    .filter((sandbox) => filter === undefined || filter.id === "" || sandbox.id.startsWith(filter.id))
    .filter((sandbox) => matchesLabels(sandbox.config.labels, filter?.labelSelector));
  return { stats: await statsOfSandboxes(engine, sandboxes) };
};

/** Pods and their running containers in one question to the helper; a pod that ends meanwhile is left out. */
export async function statsOfSandboxes(engine: Engine, sandboxes: readonly SandboxRecord[]): Promise<PodSandboxStats[]> {
  const wanted = new Set<string>(sandboxes.map((sandbox) => sandbox.id));
  const containers = engine.containers.list().filter((container) => container.state === "running" && wanted.has(container.sandboxId));
  const usages = await engine.usage.ofPods(sandboxes, containers);
  const bySandbox = Map.groupBy(containers, (container) => container.sandboxId);
  return sandboxes.flatMap((sandbox) => {
    const usage = usages.get(sandbox.id);
    return usage === undefined ? [] : [toPodSandboxStats(sandbox, usage, bySandbox.get(sandbox.id) ?? [], usages)];
  });
}
