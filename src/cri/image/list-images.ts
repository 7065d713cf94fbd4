import type { ImageFilter, ListImagesRequest, ListImagesResponse } from "../../generated/cri/runtime/v1/api.ts";
import type { ImageRecord } from "../../image/image-service.ts";
import { toImage } from "../convert/image.ts";
import type { Handler } from "../edge.ts";
import type { Engine } from "../engine.ts";

export const listImages: Handler<ListImagesRequest, ListImagesResponse> = (engine, { filter }) => ({
  images: filterImages(engine, filter).map(toImage),
});

/** The one that is named, or all of them. */
export function filterImages(engine: Engine, filter: ImageFilter | undefined): readonly ImageRecord[] {
  const wanted = filter?.image?.image ?? "";
  if (wanted === "") return engine.images.list();
  const image = engine.images.find(wanted);
  return image === undefined ? [] : [image];
}
