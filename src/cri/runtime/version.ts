import type { VersionRequest, VersionResponse } from "../../generated/cri/runtime/v1/api.ts";
import type { Handler } from "../edge.ts";

/** The kubelet wants all four fields, and its own "0.1.0" back. */
export const version: Handler<VersionRequest, VersionResponse> = (engine) => ({
  version: "0.1.0",
  runtimeName: "berth",
  runtimeVersion: engine.version,
  runtimeApiVersion: "v1",
});
