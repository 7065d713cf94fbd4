import type { VersionResponse } from "../../generated/cri/runtime/v1/api.ts";

/** The kubelet wants all four fields, and its own "0.1.0" back. */
export const version = (runtimeVersion: string): VersionResponse => ({
  version: "0.1.0",
  runtimeName: "berth",
  runtimeVersion,
  runtimeApiVersion: "v1",
});
