// Image records → runtime.v1.
import type { Image } from "../../generated/cri/runtime/v1/api.ts";
import type { ImageRecord } from "../../image/image-service.ts";
import { imageSpec } from "./image-spec.ts";

export function toImage(image: ImageRecord): Image {
  // "1000:50" and "name:group" name a group too; the CRI wants the user alone, as a number or as a name.
  const user = image.config.user.split(":")[0] ?? "";
  const numeric = /^\d{1,18}$/.test(user);
  return {
    id: image.id,
    repoTags: [...image.references],
    repoDigests: [...image.repoDigests],
    size: image.sizeBytes,
    uid: numeric ? { value: BigInt(user) } : user === "" ? { value: 0n } : undefined,
    username: numeric ? "" : user,
    spec: imageSpec(image.references[0] ?? image.id),
    pinned: image.pinned,
  };
}
