import type { StreamPodSandboxesRequest, StreamPodSandboxesResponse } from "../../generated/cri/runtime/v1/api.ts";
import { batches } from "../batches.ts";
import { toPodSandbox } from "../convert/sandbox-status.ts";
import type { ServerStreamHandler } from "../edge.ts";
import { filterSandboxes } from "./list-pod-sandbox.ts";

export const streamPodSandboxes: ServerStreamHandler<StreamPodSandboxesRequest, StreamPodSandboxesResponse> = async function* (
  engine,
  { filter },
) {
  for (const sandboxes of batches(filterSandboxes(engine, filter))) yield { podSandboxes: sandboxes.map(toPodSandbox) };
};
