import type { PruneImagesRequest, PruneImagesResponse } from "../../generated/berth/v1/berth.ts";
import type { Handler } from "../edge.ts";

/** Which images may go is the caller's to say; what is in use stays in any case. */
export const pruneImages: Handler<PruneImagesRequest, PruneImagesResponse> = async (engine, { ids, dryRun }) => {
  const pruned = await engine.images.prune(ids, dryRun);
  return {
    images: pruned.map(({ image, freedBytes }) => ({
      id: image.id,
      names: image.references.length > 0 ? [...image.references] : [...image.repoDigests],
      freedBytes,
    })),
  };
};
