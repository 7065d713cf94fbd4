import type { ContainerStatusRequest, ContainerStatusResponse } from "../../generated/cri/runtime/v1/api.ts";
import { seccompName } from "../../container/spec/seccomp.ts";
import { toContainerStatus } from "../convert/container-status.ts";
import type { Handler } from "../edge.ts";
import { resolveContainerId } from "../resolve-id.ts";

export const containerStatus: Handler<ContainerStatusRequest, ContainerStatusResponse> = (engine, request) => {
  const container = engine.containers.get(resolveContainerId(engine, request.containerId));
  const sandbox = engine.sandboxes.get(container.sandboxId);
  const { pid, cgroupPath, warnings, writableDir } = container;
  const seccomp = seccompName(container.config.security);
  const appArmor = container.appArmorProfile ?? "unconfined";
  return {
    status: toContainerStatus(container, engine.images.find(container.imageId), sandbox.config.logDirectory),
    info: request.verbose
      ? { info: JSON.stringify({ pid, sandboxID: sandbox.id, cgroupPath, writableDir, warnings, seccomp, appArmor }) }
      : {},
  };
};
