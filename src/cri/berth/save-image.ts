import { AgentError } from "../../base/errors.ts";
import type { SaveImageRequest, SaveImageResponse } from "../../generated/berth/v1/berth.ts";
import { ARCHIVE_FORMATS } from "../../image/image-service.ts";
import type { ServerStreamHandler } from "../edge.ts";

// As many as an archive may have that is loaded.
const MAX_IMAGES = 1000;

export const saveImage: ServerStreamHandler<SaveImageRequest, SaveImageResponse> = async function* (engine, request, { signal }) {
  const { images } = request;
  if (images.length === 0 || images.length > MAX_IMAGES)
    throw new AgentError("invalid-argument", `save images: ${images.length} of them is not within 1 to ${MAX_IMAGES}`);
  const format = ARCHIVE_FORMATS.find((each) => each === (request.format || "docker-archive"));
  if (format === undefined)
    throw new AgentError(
      "invalid-argument",
      `save images: format ${JSON.stringify(request.format)} is not one of ${ARCHIVE_FORMATS.join(", ")}`,
    );
  for await (const data of engine.images.save(images, format, signal))
    yield { data: Buffer.from(data.buffer, data.byteOffset, data.length) };
};
