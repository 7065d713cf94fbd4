import type { RunPodSandboxRequest, RunPodSandboxResponse } from "../../generated/cri/runtime/v1/api.ts";
import { toSandboxConfig } from "../convert/sandbox-config.ts";
import type { Handler } from "../edge.ts";

export const runPodSandbox: Handler<RunPodSandboxRequest, RunPodSandboxResponse> = async (engine, request) => ({
  podSandboxId: await engine.sandboxes.run(toSandboxConfig(request.config, request.runtimeHandler)),
});
