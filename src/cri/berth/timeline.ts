import type { TimelineRequest, TimelineResponse } from "../../generated/berth/v1/berth.ts";
import type { Handler } from "../edge.ts";
import { resolveSandboxId } from "../resolve-id.ts";

/** How long each stage of the pod's start took, and of its containers'. */
export const timeline: Handler<TimelineRequest, TimelineResponse> = (engine, request) => {
  const sandbox = engine.sandboxes.get(resolveSandboxId(engine, request.podSandboxId));
  const containers = engine.containers.ofSandbox(sandbox.id);
  const stages = [...sandbox.stages, ...containers.flatMap((container) => container.stages)];
  stages.sort((a, b) => (a.startedAtNanos < b.startedAtNanos ? -1 : a.startedAtNanos > b.startedAtNanos ? 1 : 0));
  return { stages: stages.map(({ name, ...rest }) => ({ stage: name, ...rest })) };
};
