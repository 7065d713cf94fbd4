import type { ImageSpec } from "../../generated/cri/runtime/v1/api.ts";

export const imageSpec = (image: string, userSpecifiedImage = ""): ImageSpec => ({
  image,
  annotations: {},
  userSpecifiedImage,
  runtimeHandler: "",
  imageRef: "",
});
