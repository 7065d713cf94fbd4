import type { GetConfigRequest, GetConfigResponse } from "../../generated/berth/v1/berth.ts";
import type { Handler } from "../edge.ts";

/** Every setting that berthd was started with, and where it is from. */
export const getConfig: Handler<GetConfigRequest, GetConfigResponse> = (engine) => ({ settings: [...engine.settings] });
