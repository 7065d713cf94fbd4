import type { RuntimeCondition, StatusRequest, StatusResponse } from "../../generated/cri/runtime/v1/api.ts";
import type { Handler } from "../edge.ts";

const condition = (type: string, problem: string | undefined, reason: string): RuntimeCondition => ({
  type,
  status: problem === undefined,
  reason: problem === undefined ? "" : reason,
  message: problem ?? "",
});

/** RuntimeReady and NetworkReady, each with what is wrong. */
export const status: Handler<StatusRequest, StatusResponse> = (engine, request) => ({
  status: {
    conditions: [
      condition("RuntimeReady", engine.runtimeProblem(), "RuntimeNotFound"),
      condition("NetworkReady", engine.network.problem, "NetworkNotMade"),
    ],
  },
  info: request.verbose ? { config: JSON.stringify(engine.describe()) } : {},
  runtimeHandlers: [...engine.handlers].map((name) => ({
    name,
    features: { recursiveReadOnlyMounts: false, userNamespaces: false },
  })),
  features: { supplementalGroupsPolicy: true, userNamespacesHostNetwork: false, mountOptions: false },
});
