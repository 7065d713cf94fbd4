import { AgentError } from "../../base/errors.ts";
import type { StopContainerRequest, StopContainerResponse } from "../../generated/cri/runtime/v1/api.ts";
import type { Handler } from "../edge.ts";
import { resolveContainerId } from "../resolve-id.ts";

// The longest that a timer can wait: 2^31 - 1 milliseconds, 24 days.
const MAX_GRACE_SECONDS = 2_147_483n;

export const stopContainer: Handler<StopContainerRequest, StopContainerResponse> = async (engine, request) => {
  if (request.timeout < 0n)
    throw new AgentError("invalid-argument", `stop container ${request.containerId}: timeout ${request.timeout} is negative`);
  const seconds = request.timeout > MAX_GRACE_SECONDS ? MAX_GRACE_SECONDS : request.timeout;
  await engine.containers.stop(resolveContainerId(engine, request.containerId), Number(seconds) * 1000);
  return {};
};
