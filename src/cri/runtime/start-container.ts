import type { StartContainerRequest, StartContainerResponse } from "../../generated/cri/runtime/v1/api.ts";
import type { Handler } from "../edge.ts";
import { resolveContainerId } from "../resolve-id.ts";

export const startContainer: Handler<StartContainerRequest, StartContainerResponse> = async (engine, request) => {
  const container = engine.containers.get(resolveContainerId(engine, request.containerId));
  await engine.containers.start(container.id);
  // What its writable layer takes begins to be known; nobody waits for it.
  void engine.usage.writableLayers([container]).catch(() => {});
  return {};
};
