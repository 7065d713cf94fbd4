import { AgentError } from "../../base/errors.ts";
import type { ImageStatusRequest, ImageStatusResponse } from "../../generated/cri/runtime/v1/api.ts";
import type { ImageRecord } from "../../image/image-service.ts";
import { toImage } from "../convert/image.ts";
import type { Handler } from "../edge.ts";

/** An image that is not here is no error: the answer has none. */
export const imageStatus: Handler<ImageStatusRequest, ImageStatusResponse> = (engine, request) => {
  const reference = request.image?.image ?? "";
  if (reference === "") throw new AgentError("invalid-argument", "find image: the reference is empty");
  const image = engine.images.find(reference);
  if (image === undefined) return { image: undefined, info: {} };
  return { image: toImage(image), info: request.verbose ? { info: describe(image) } : {} };
};

/** JSON has no whole numbers past 2^53, so sizes are decimal strings. */
function describe({ manifestDigest, architecture, os, config, layers, history }: ImageRecord): string {
  const told = layers.map(({ unpackedBytes, ...layer }) => ({ ...layer, unpackedBytes: unpackedBytes?.toString() }));
  return JSON.stringify({ manifestDigest, architecture, os, config, layers: told, history });
}
