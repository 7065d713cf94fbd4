import { AgentError } from "../../base/errors.ts";
import type { CopyFromRequest, CopyFromResponse } from "../../generated/berth/v1/berth.ts";
import type { ServerStreamHandler } from "../edge.ts";
import { resolveContainerId } from "../resolve-id.ts";

export const copyFrom: ServerStreamHandler<CopyFromRequest, CopyFromResponse> = async function* (engine, request, { signal }) {
  const { path, followLink } = request;
  if (path === "") throw new AgentError("invalid-argument", "copy from container: path is empty");
  const id = resolveContainerId(engine, request.containerId);
  try {
    for await (const piece of engine.containers.copyFrom(id, path, followLink, signal)) {
      // The numbers of both enumerations are the same.
      yield { piece: piece.$case === "found" ? { $case: "found", value: piece.value.kind } : piece };
    }
  } catch (failure) {
    // Nobody is there to hear it.
    if (!signal.aborted) throw failure;
  }
};
