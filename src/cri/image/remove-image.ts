import { AgentError } from "../../base/errors.ts";
import type { RemoveImageRequest, RemoveImageResponse } from "../../generated/cri/runtime/v1/api.ts";
import type { Handler } from "../edge.ts";

export const removeImage: Handler<RemoveImageRequest, RemoveImageResponse> = async (engine, request) => {
  const reference = request.image?.image ?? "";
  if (reference === "") throw new AgentError("invalid-argument", "remove image: the reference is empty");
  await engine.images.remove(reference);
  return {};
};
