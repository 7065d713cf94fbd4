import { AgentError, messageOf } from "../../base/errors.ts";
import type { AuthConfig, PullImageRequest, PullImageResponse } from "../../generated/cri/runtime/v1/api.ts";
import { isRegistryUnavailable, type RegistryAuth } from "../../image/image-service.ts";
import type { Handler } from "../edge.ts";

/** The reference that comes back is the image's id, as it is in every other answer. */
export const pullImage: Handler<PullImageRequest, PullImageResponse> = async (engine, request, context) => {
  const reference = request.image?.image ?? "";
  if (reference === "") throw new AgentError("invalid-argument", "pull image: the reference is empty");
  try {
    const image = await engine.images.pull(reference, toAuth(request.auth), context.signal);
    return { imageRef: image.id };
  } catch (failure) {
    // The kubelet knows this reason by the beginning of the message, and only with this code.
    if (isRegistryUnavailable(failure)) throw new AgentError("unknown", `RegistryUnavailable: ${messageOf(failure)}`, { cause: failure });
    throw failure;
  }
};

function toAuth(proto: AuthConfig | undefined): RegistryAuth | undefined {
  if (proto === undefined) return undefined;
  const { username, password, auth, serverAddress, identityToken, registryToken } = proto;
  return { username, password, auth, serverAddress, identityToken, registryToken };
}
