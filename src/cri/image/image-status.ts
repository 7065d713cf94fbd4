import { AgentError } from "../../base/errors.ts";
import type { ImageStatusRequest, ImageStatusResponse } from "../../generated/cri/runtime/v1/api.ts";
import { toImage } from "../convert/image.ts";
import type { Handler } from "../edge.ts";

/** An image that is not here is no error: the answer has none. */
export const imageStatus: Handler<ImageStatusRequest, ImageStatusResponse> = (engine, request) => {
  const reference = request.image?.image ?? "";
  if (reference === "") throw new AgentError("invalid-argument", "find image: the reference is empty");
  const image = engine.images.find(reference);
  if (image === undefined) return { image: undefined, info: {} };
  const { config, layers, manifestDigest, architecture, os } = image;
  return {
    image: toImage(image),
    info: request.verbose ? { info: JSON.stringify({ manifestDigest, architecture, os, config, layers }) } : {},
  };
};
