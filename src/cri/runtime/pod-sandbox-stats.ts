import { AgentError } from "../../base/errors.ts";
import type { PodSandboxStatsRequest, PodSandboxStatsResponse } from "../../generated/cri/runtime/v1/api.ts";
import { toPodSandboxStats } from "../convert/stats.ts";
import type { Handler } from "../edge.ts";
import { measureSandboxes } from "../measured-sandboxes.ts";
import { resolveSandboxId } from "../resolve-id.ts";

export const podSandboxStats: Handler<PodSandboxStatsRequest, PodSandboxStatsResponse> = async (engine, request) => {
  const sandbox = engine.sandboxes.get(resolveSandboxId(engine, request.podSandboxId));
  const [measured] = await measureSandboxes(engine, [sandbox], "common");
  if (measured === undefined)
    throw new AgentError("not-found", `read usage of pod ${sandbox.id}: it is ${sandbox.state} and has no cgroup`);
  return { stats: toPodSandboxStats(measured, engine.images.mountpoint) };
};
