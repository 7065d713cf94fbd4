import type { FilesystemUsage, ImageFsInfoRequest, ImageFsInfoResponse } from "../../generated/cri/runtime/v1/api.ts";
import type { Handler } from "../edge.ts";
import type { Engine } from "../engine.ts";

/** Images and writable layers are on one file system; each list has its own part of it. */
export const imageFsInfo: Handler<ImageFsInfoRequest, ImageFsInfoResponse> = async (engine) => {
  const { mountpoint, usedBytes, inodesUsed, timestampNanos } = await engine.images.fileSystemUsage();
  const images = { timestamp: timestampNanos, fsId: { mountpoint }, usedBytes: { value: usedBytes }, inodesUsed: { value: inodesUsed } };
  return { imageFilesystems: [images], containerFilesystems: [await writableLayers(engine)] };
};

/** As old as the oldest of its parts. */
async function writableLayers(engine: Engine): Promise<FilesystemUsage> {
  const layers = await engine.usage.writableLayers(engine.containers.list());
  const sum = { timestamp: engine.nowNanos(), usedBytes: 0n, inodesUsed: 0n };
  for (const { timestampNanos, bytes, inodes } of layers) {
    if (timestampNanos < sum.timestamp) sum.timestamp = timestampNanos;
    sum.usedBytes += bytes;
    sum.inodesUsed += inodes;
  }
  const { timestamp, usedBytes, inodesUsed } = sum;
  const fsId = { mountpoint: engine.images.mountpoint };
  return { timestamp, fsId, usedBytes: { value: usedBytes }, inodesUsed: { value: inodesUsed } };
}
