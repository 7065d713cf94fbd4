import type { CheckpointContainerRequest, CheckpointContainerResponse } from "../../generated/cri/runtime/v1/api.ts";
import type { Handler } from "../edge.ts";
import { resolveContainerId } from "../resolve-id.ts";

export const checkpointContainer: Handler<CheckpointContainerRequest, CheckpointContainerResponse> = async (
  engine,
  request,
  { signal },
) => {
  engine.containers.requireCheckpoints();
  const id = resolveContainerId(engine, request.containerId);
  await engine.containers.checkpoint(id, request.location, request.timeout, signal);
  return {};
};
