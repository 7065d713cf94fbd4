import type { RuntimeCondition, StatusRequest, StatusResponse } from "../../generated/cri/runtime/v1/api.ts";
import type { Handler } from "../edge.ts";

const condition = (type: string, problem: string | undefined, reason: string): RuntimeCondition => ({
  type,
  status: problem === undefined,
  reason: problem === undefined ? "" : reason,
  message: problem ?? "",
});

/**
 * RuntimeReady and NetworkReady, each with what is wrong. A full disk, ours or one of logs, is a condition of its own, which the kubelet
 * reads past: what runs goes on and can be stopped, and a node that calls itself not ready would have its pods taken away.
 */
export const status: Handler<StatusRequest, StatusResponse> = async (engine, request) => ({
  status: {
    conditions: [
      condition("RuntimeReady", engine.runtimeProblem(), "RuntimeNotFound"),
      condition("NetworkReady", engine.network.problem, "NetworkNotMade"),
      condition("DiskHasRoom", await engine.diskProblem(), "DiskFull"),
      condition("LogsHaveRoom", engine.containers.logProblem(), "LogBlocked"),
    ],
  },
  info: request.verbose ? { config: JSON.stringify(engine.describe()), cdi: JSON.stringify(await engine.describeCdi()) } : {},
  runtimeHandlers: [...engine.handlers].map((name) => ({
    name,
    features: { recursiveReadOnlyMounts: engine.recursiveReadOnlyMounts, userNamespaces: engine.userNamespaceHandlers.has(name) },
  })),
  features: { supplementalGroupsPolicy: true, userNamespacesHostNetwork: false, mountOptions: true },
});
