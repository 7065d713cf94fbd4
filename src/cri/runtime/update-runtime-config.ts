import type { UpdateRuntimeConfigRequest, UpdateRuntimeConfigResponse } from "../../generated/cri/runtime/v1/api.ts";
import type { Handler } from "../edge.ts";

/** The kubelet tells the node's pod subnet; ours is a setting, so, as with CRI-O, there is nothing to do. */
export const updateRuntimeConfig: Handler<UpdateRuntimeConfigRequest, UpdateRuntimeConfigResponse> = () => ({});
