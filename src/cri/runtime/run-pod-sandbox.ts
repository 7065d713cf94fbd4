import { AgentError } from "../../base/errors.ts";
import type { RunPodSandboxRequest, RunPodSandboxResponse } from "../../generated/cri/runtime/v1/api.ts";
import { toSandboxConfig } from "../convert/sandbox-config.ts";
import type { Handler } from "../edge.ts";

export const runPodSandbox: Handler<RunPodSandboxRequest, RunPodSandboxResponse> = async (engine, request) => {
  const config = toSandboxConfig(request.config, request.runtimeHandler);
  const { runtimeHandler } = config;
  // One that is not known is refused by its name later on.
  if (config.userNamespace !== undefined && engine.handlers.has(runtimeHandler) && !engine.userNamespaceHandlers.has(runtimeHandler)) {
    throw new AgentError(
      "failed-precondition",
      `run pod sandbox ${config.metadata.name}: runtime handler ${JSON.stringify(runtimeHandler)} can't run pods with user namespaces on this node`,
    );
  }
  return { podSandboxId: await engine.sandboxes.run(config) };
};
