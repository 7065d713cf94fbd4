import type { CreateContainerRequest, CreateContainerResponse } from "../../generated/cri/runtime/v1/api.ts";
import { toContainerConfig } from "../convert/container-config.ts";
import type { Handler } from "../edge.ts";
import { resolveSandboxId } from "../resolve-id.ts";

export const createContainer: Handler<CreateContainerRequest, CreateContainerResponse> = async (engine, request) => ({
  containerId: await engine.containers.create(resolveSandboxId(engine, request.podSandboxId), toContainerConfig(request.config)),
});
