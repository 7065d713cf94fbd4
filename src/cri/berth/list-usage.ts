import type { ListUsageRequest, ListUsageResponse } from "../../generated/berth/v1/berth.ts";
import { toPodUsage } from "../convert/usage.ts";
import type { Handler } from "../edge.ts";
import { measureSandboxes } from "../measured-sandboxes.ts";

/** Of ready pods; an unknown id gives an empty list. */
export const listUsage: Handler<ListUsageRequest, ListUsageResponse> = async (engine, { podSandboxId }) => {
  const sandboxes = engine.sandboxes
    .list()
    .filter((sandbox) => sandbox.state === "ready" && (podSandboxId === "" || sandbox.id === podSandboxId));
  return { pods: (await measureSandboxes(engine, sandboxes, "all")).map(toPodUsage) };
};
