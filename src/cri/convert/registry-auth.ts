import type { RegistryCredentials } from "../../generated/berth/v1/berth.ts";
import type { RegistryAuth } from "../../image/image-service.ts";

/** berth.v1 → what a pull signs in with: to the registry of the image, and to no other. */
export function toRegistryAuth(credentials: RegistryCredentials | undefined): RegistryAuth | undefined {
  return credentials === undefined ? undefined : { auth: "", serverAddress: "", registryToken: "", ...credentials };
}
