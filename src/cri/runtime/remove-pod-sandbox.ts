import type { RemovePodSandboxRequest, RemovePodSandboxResponse } from "../../generated/cri/runtime/v1/api.ts";
import type { Handler } from "../edge.ts";
import { resolveSandboxId } from "../resolve-id.ts";

export const removePodSandbox: Handler<RemovePodSandboxRequest, RemovePodSandboxResponse> = async (engine, request) => {
  await engine.sandboxes.remove(resolveSandboxId(engine, request.podSandboxId));
  return {};
};
