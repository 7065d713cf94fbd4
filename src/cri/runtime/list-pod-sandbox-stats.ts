import type { ListPodSandboxStatsRequest, ListPodSandboxStatsResponse } from "../../generated/cri/runtime/v1/api.ts";
import { toPodSandboxStats } from "../convert/stats.ts";
import type { Handler } from "../edge.ts";
import { matchesLabels } from "../matches-labels.ts";
import { measureSandboxes } from "../measured-sandboxes.ts";

/** Of ready pods; all parts of the filter must hold. */
export const listPodSandboxStats: Handler<ListPodSandboxStatsRequest, ListPodSandboxStatsResponse> = async (engine, { filter }) => {
  const sandboxes = engine.sandboxes
    .list()
    .filter((sandbox) => sandbox.state === "ready")
    .filter((sandbox) => filter === undefined || filter.id === "" || sandbox.id.startsWith(filter.id))
    .filter((sandbox) => matchesLabels(sandbox.config.labels, filter?.labelSelector));
  const measured = await measureSandboxes(engine, sandboxes, "common");
  return { stats: measured.map((each) => toPodSandboxStats(each, engine.images.mountpoint)) };
};
