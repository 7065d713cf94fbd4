import type { ExecSyncRequest, ExecSyncResponse } from "../../generated/cri/runtime/v1/api.ts";
import type { Handler } from "../edge.ts";
import { resolveContainerId } from "../resolve-id.ts";

export const execSync: Handler<ExecSyncRequest, ExecSyncResponse> = async (engine, request, { signal }) => {
  const id = resolveContainerId(engine, request.containerId);
  const { stdout, stderr, exitCode } = await engine.containers.execSync(id, request.cmd, request.timeout, signal);
  return { stdout, stderr, exitCode };
};
