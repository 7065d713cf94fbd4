import type { ListImagesRequest, ListImagesResponse } from "../../generated/cri/runtime/v1/api.ts";
import { toImage } from "../convert/image.ts";
import type { Handler } from "../edge.ts";

export const listImages: Handler<ListImagesRequest, ListImagesResponse> = (engine, request) => {
  const wanted = request.filter?.image?.image ?? "";
  if (wanted === "") return { images: engine.images.list().map(toImage) };
  const image = engine.images.find(wanted);
  return { images: image === undefined ? [] : [toImage(image)] };
};
