import { CgroupDriver, type RuntimeConfigRequest, type RuntimeConfigResponse } from "../../generated/cri/runtime/v1/api.ts";
import type { Handler } from "../edge.ts";

/** Which cgroup driver the kubelet must use too. */
export const runtimeConfig: Handler<RuntimeConfigRequest, RuntimeConfigResponse> = () => ({
  linux: { cgroupDriver: CgroupDriver.CGROUPFS },
});
