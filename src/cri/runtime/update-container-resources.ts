import { AgentError } from "../../base/errors.ts";
import type { UpdateContainerResourcesRequest, UpdateContainerResourcesResponse } from "../../generated/cri/runtime/v1/api.ts";
import { toResourcesChange } from "../convert/resources.ts";
import type { Handler } from "../edge.ts";
import { resolveContainerId } from "../resolve-id.ts";

export const updateContainerResources: Handler<UpdateContainerResourcesRequest, UpdateContainerResourcesResponse> = async (
  engine,
  request,
) => {
  const id = resolveContainerId(engine, request.containerId);
  if (request.linux === undefined) throw new AgentError("invalid-argument", `update resources of container ${id}: linux is missing`);
  await engine.containers.updateResources(id, toResourcesChange(request.linux));
  return {};
};
