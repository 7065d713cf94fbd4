import type { StreamImagesRequest, StreamImagesResponse } from "../../generated/cri/runtime/v1/api.ts";
import { batches } from "../batches.ts";
import { toImage } from "../convert/image.ts";
import type { ServerStreamHandler } from "../edge.ts";
import { filterImages } from "./list-images.ts";

export const streamImages: ServerStreamHandler<StreamImagesRequest, StreamImagesResponse> = async function* (engine, { filter }) {
  for (const images of batches(filterImages(engine, filter))) yield { images: images.map(toImage) };
};
