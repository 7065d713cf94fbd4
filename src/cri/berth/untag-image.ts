import type { UntagImageRequest, UntagImageResponse } from "../../generated/berth/v1/berth.ts";
import type { Handler } from "../edge.ts";

/** RemoveImage of the CRI takes all names of an image away; this takes one. */
export const untagImage: Handler<UntagImageRequest, UntagImageResponse> = async (engine, { name, keepLast }) => {
  const { image, wasLast } = await engine.images.untag(name, keepLast);
  return { id: image.id, wasLast };
};
