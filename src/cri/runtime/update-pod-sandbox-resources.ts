import { AgentError } from "../../base/errors.ts";
import type { UpdatePodSandboxResourcesRequest, UpdatePodSandboxResourcesResponse } from "../../generated/cri/runtime/v1/api.ts";
import { toResourcesChange } from "../convert/resources.ts";
import type { Handler } from "../edge.ts";
import { resolveSandboxId } from "../resolve-id.ts";

export const updatePodSandboxResources: Handler<UpdatePodSandboxResourcesRequest, UpdatePodSandboxResourcesResponse> = async (
  engine,
  { podSandboxId, resources, overhead },
) => {
  const id = resolveSandboxId(engine, podSandboxId);
  if (resources === undefined && overhead === undefined) {
    throw new AgentError("invalid-argument", `update resources of pod sandbox ${id}: resources and overhead are missing`);
  }
  await engine.sandboxes.updateResources(id, {
    ...(resources && { resources: toResourcesChange(resources) }),
    ...(overhead && { overhead: toResourcesChange(overhead) }),
  });
  return {};
};
