import type { RemoveContainerRequest, RemoveContainerResponse } from "../../generated/cri/runtime/v1/api.ts";
import type { Handler } from "../edge.ts";
import { resolveContainerId } from "../resolve-id.ts";

export const removeContainer: Handler<RemoveContainerRequest, RemoveContainerResponse> = async (engine, request) => {
  await engine.containers.remove(resolveContainerId(engine, request.containerId));
  return {};
};
