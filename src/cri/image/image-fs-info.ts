import type { ImageFsInfoRequest, ImageFsInfoResponse } from "../../generated/cri/runtime/v1/api.ts";
import type { Handler } from "../edge.ts";

/** Images and writable layers are on one file system, so it stands in both lists. */
export const imageFsInfo: Handler<ImageFsInfoRequest, ImageFsInfoResponse> = async (engine) => {
  const { mountpoint, usedBytes, inodesUsed, timestampNanos } = await engine.images.fileSystemUsage();
  const usage = { timestamp: timestampNanos, fsId: { mountpoint }, usedBytes: { value: usedBytes }, inodesUsed: { value: inodesUsed } };
  return { imageFilesystems: [usage], containerFilesystems: [usage] };
};
