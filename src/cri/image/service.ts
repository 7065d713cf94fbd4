// ImageService: the calls that are there. gRPC answers UNIMPLEMENTED to the others.
import type { UntypedServiceImplementation } from "@grpc/grpc-js";
import type { ImageServiceServer } from "../../generated/cri/runtime/v1/api.ts";
import type { Edge } from "../edge.ts";
import { imageFsInfo } from "./image-fs-info.ts";
import { imageStatus } from "./image-status.ts";
import { listImages } from "./list-images.ts";
import { pullImage } from "./pull-image.ts";
import { removeImage } from "./remove-image.ts";
import { streamImages } from "./stream-images.ts";

export function imageService(edge: Edge): UntypedServiceImplementation {
  return {
    pullImage: edge.unary("PullImage", pullImage),
    listImages: edge.unary("ListImages", listImages),
    imageStatus: edge.unary("ImageStatus", imageStatus),
    removeImage: edge.unary("RemoveImage", removeImage),
    streamImages: edge.download("StreamImages", streamImages),
    imageFsInfo: edge.unary("ImageFsInfo", imageFsInfo),
  } satisfies Partial<ImageServiceServer>;
}
