import { statfs } from "node:fs/promises";

/** A file system, as it is mounted. */
export interface Disk {
  /** "/dev/sda1", or the word that stands in its place */
  readonly device: string;
  readonly totalBytes: bigint;
  readonly inodes: bigint;
  readonly inodesFree: bigint;
}

/** @param folder on the file system */
export async function readDisk(folder: string, device: string): Promise<Disk> {
  const { bsize, blocks, files, ffree } = await statfs(folder, { bigint: true });
  return { device, totalBytes: bsize * blocks, inodes: files, inodesFree: ffree };
}
