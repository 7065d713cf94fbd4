import type { TagImageRequest, TagImageResponse } from "../../generated/berth/v1/berth.ts";
import type { Handler } from "../edge.ts";

export const tagImage: Handler<TagImageRequest, TagImageResponse> = async (engine, { source, target }) => {
  const { id } = await engine.images.tag(source, target);
  return { id };
};
