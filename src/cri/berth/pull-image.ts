import { AgentError } from "../../base/errors.ts";
import type { PullImageRequest, PullImageResponse } from "../../generated/berth/v1/berth.ts";
import { toRegistryAuth } from "../convert/registry-auth.ts";
import type { ServerStreamHandler } from "../edge.ts";

/** It ends early when the caller goes away, unless another one waits for the same pull. */
export const pullImage: ServerStreamHandler<PullImageRequest, PullImageResponse> = async function* (engine, request, { signal }) {
  if (request.image === "") throw new AgentError("invalid-argument", "pull image: the reference is empty");
  const { image, progress } = engine.images.startPull(request.image, toRegistryAuth(request.credentials), signal);
  // It is told below; until then nobody listens.
  image.catch(() => {});
  for await (const layers of progress.changes(signal)) {
    yield {
      id: "",
      layers: layers.map(({ digest, phase, fetchedBytes, totalBytes }) => ({
        digest,
        phase,
        fetchedBytes: BigInt(fetchedBytes),
        totalBytes: BigInt(totalBytes),
      })),
    };
  }
  yield { id: (await image).id, layers: [] };
};
