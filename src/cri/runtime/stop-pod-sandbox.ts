import type { StopPodSandboxRequest, StopPodSandboxResponse } from "../../generated/cri/runtime/v1/api.ts";
import type { Handler } from "../edge.ts";
import { resolveSandboxId } from "../resolve-id.ts";

export const stopPodSandbox: Handler<StopPodSandboxRequest, StopPodSandboxResponse> = async (engine, request) => {
  await engine.sandboxes.stop(resolveSandboxId(engine, request.podSandboxId));
  return {};
};
