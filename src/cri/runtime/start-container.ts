import type { StartContainerRequest, StartContainerResponse } from "../../generated/cri/runtime/v1/api.ts";
import type { Handler } from "../edge.ts";
import { resolveContainerId } from "../resolve-id.ts";

export const startContainer: Handler<StartContainerRequest, StartContainerResponse> = async (engine, request) => {
  await engine.containers.start(resolveContainerId(engine, request.containerId));
  return {};
};
