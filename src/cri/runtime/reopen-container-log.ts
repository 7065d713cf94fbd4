import type { ReopenContainerLogRequest, ReopenContainerLogResponse } from "../../generated/cri/runtime/v1/api.ts";
import type { Handler } from "../edge.ts";
import { resolveContainerId } from "../resolve-id.ts";

export const reopenContainerLog: Handler<ReopenContainerLogRequest, ReopenContainerLogResponse> = async (engine, request) => {
  await engine.containers.reopenLog(resolveContainerId(engine, request.containerId));
  return {};
};
