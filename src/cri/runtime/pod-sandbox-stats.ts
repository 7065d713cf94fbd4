import { AgentError } from "../../base/errors.ts";
import type { PodSandboxStatsRequest, PodSandboxStatsResponse } from "../../generated/cri/runtime/v1/api.ts";
import type { Handler } from "../edge.ts";
import { resolveSandboxId } from "../resolve-id.ts";
import { statsOfSandboxes } from "./list-pod-sandbox-stats.ts";

export const podSandboxStats: Handler<PodSandboxStatsRequest, PodSandboxStatsResponse> = async (engine, request) => {
  const sandbox = engine.sandboxes.get(resolveSandboxId(engine, request.podSandboxId));
  const [stats] = await statsOfSandboxes(engine, [sandbox]);
  if (stats === undefined) throw new AgentError("not-found", `read usage of pod ${sandbox.id}: it is ${sandbox.state} and has no cgroup`);
  return { stats };
};
