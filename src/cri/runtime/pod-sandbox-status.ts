import type { PodSandboxStatusRequest, PodSandboxStatusResponse } from "../../generated/cri/runtime/v1/api.ts";
import { toPodSandboxStatus } from "../convert/sandbox-status.ts";
import type { Handler } from "../edge.ts";
import { resolveSandboxId } from "../resolve-id.ts";

export const podSandboxStatus: Handler<PodSandboxStatusRequest, PodSandboxStatusResponse> = (engine, request) => {
  const sandbox = engine.sandboxes.get(resolveSandboxId(engine, request.podSandboxId));
  const { shim, cgroupPath, stateDir, warnings, config } = sandbox;
  const details = { shimPid: shim?.pid, cgroupPath, stateDir, network: config.network, runtimeHandler: config.runtimeHandler, warnings };
  return {
    status: toPodSandboxStatus(sandbox),
    info: request.verbose ? { info: JSON.stringify(details) } : {},
    containersStatuses: [],
    timestamp: 0n,
  };
};
