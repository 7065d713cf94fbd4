// Image archives, as `docker save` and the OCI layout write them. The outer tar is unpacked by the confined reader too; here
// only bounded JSON is parsed, and only regular files inside the unpacked folder are opened.
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { AgentError } from "../base/errors.ts";
import { InHand } from "../base/in-hand.ts";
import type { Helper } from "../native-client/helper.ts";
import { ArchiveFolder, compressionOf } from "./archive/archive-folder.ts";
import { loadDocker } from "./archive/docker-archive.ts";
import type { Loaded } from "./archive/loaded.ts";
import { loadLayout } from "./archive/oci-layout.ts";
import type { BuildPlace } from "./build-image.ts";

export interface ArchiveOptions {
  readonly root: string;
  readonly helper: Helper;
  readonly inHand?: InHand;
}

/** Where archives are taken apart; nothing in it outlives a call. */
export const archivesFolder = (root: string): string => join(root, "archives");

/**
 * @param tarPath below the root folder; packed with gzip or zstd, or plain
 * @throws AgentError invalid-argument for an archive of neither form
 */
export async function loadArchive(tarPath: string, options: ArchiveOptions, place: BuildPlace): Promise<Loaded[]> {
  const folder = join(archivesFolder(options.root), randomBytes(8).toString("hex"));
  return await (options.inHand ?? new InHand()).during(folder, () => takeApart(tarPath, folder, options.helper, place));
}

async function takeApart(tarPath: string, folder: string, helper: Helper, place: BuildPlace): Promise<Loaded[]> {
  const compression = await compressionOf(tarPath);
  try {
    const bounds = { maxBytes: 0n, maxEntries: 0n, maxRatio: 0 };
    await helper.unpackLayer({ blobPath: tarPath, targetDir: folder, compression, ...bounds, plainArchive: true, sync: false });
    place.signal.throwIfAborted();
    const archive = await ArchiveFolder.open(folder);
    // Newer `docker save` writes both; the OCI part has the digests as they were pulled.
    if (await archive.has("index.json")) return await loadLayout(archive, place);
    if (await archive.has("manifest.json")) return await loadDocker(archive, place);
    throw new AgentError("invalid-argument", "load archive: it has neither index.json nor manifest.json, so it is no image archive");
  } finally {
    await helper.removeTree(folder);
  }
}
