import { AgentError } from "../../base/errors.ts";
import type { CheckCredentialsRequest, CheckCredentialsResponse } from "../../generated/berth/v1/berth.ts";
import { toRegistryAuth } from "../convert/registry-auth.ts";
import type { Handler } from "../edge.ts";

/** For a client that keeps credentials; this node keeps none. */
export const checkCredentials: Handler<CheckCredentialsRequest, CheckCredentialsResponse> = async (engine, request, { signal }) => {
  const auth = toRegistryAuth(request.credentials);
  if (auth === undefined) throw new AgentError("invalid-argument", "check credentials: there are none");
  return { askedFor: await engine.images.checkCredentials(request.registry, auth, signal) };
};
