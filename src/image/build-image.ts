// From a manifest whose blobs can be had to an image whose layers are unpacked. Pulls and archives end here alike.
import { createHash } from "node:crypto";
import { AgentError } from "../base/errors.ts";
import type { ContentStore } from "./content/content-store.ts";
import { parseImageConfig } from "./image-config.ts";
import type { ImageRecord, LayerRef } from "./records.ts";
import { type Descriptor, layerCompression, type Manifest } from "./registry/manifest.ts";
import type { SnapshotStore } from "./snapshot/snapshot-store.ts";

export type BuiltImage = Omit<ImageRecord, "references" | "repoDigests" | "createdAtNanos" | "pinned" | "removed">;

/** Brings a blob into the content store unless it is there. */
export type FetchBlob = (descriptor: Descriptor) => Promise<void>;

export const MAX_CONFIG_BYTES = 8 * 1024 * 1024;
// Enough to keep a link busy while the slowest layer unpacks.
const PARALLEL_LAYERS = 3;

export async function buildImage(manifest: Manifest, manifestDigest: string, content: ContentStore, snapshots: SnapshotStore, fetch: FetchBlob): Promise<BuiltImage> {
  const { config: descriptor, layers: packed } = manifest;
  if (descriptor.sizeBytes > MAX_CONFIG_BYTES) throw new AgentError("resource-exhausted", `read image config ${descriptor.digest}: it is over ${MAX_CONFIG_BYTES} bytes`);
  for (const layer of packed) layerCompression(layer); // refused before a byte of them is fetched
  await fetch(descriptor);
  const { config, architecture, os, diffIds } = parseImageConfig(await content.read(descriptor.digest));
  if (diffIds.length !== packed.length) {
    throw new AgentError("invalid-argument", `read image ${manifestDigest}: its manifest has ${packed.length} layers, its config ${diffIds.length}`);
  }
  const layers = chain(packed, diffIds);
  await inParallel(PARALLEL_LAYERS, layers, async (layer, index) => {
    const blob = packed[index];
    if (blob === undefined) return;
    await snapshots.prepare(layer, layerCompression(blob), async () => {
      await fetch(blob);
      return content.path(blob.digest);
    });
  });
  const sizeBytes = packed.reduce((sum, layer) => sum + BigInt(layer.sizeBytes), BigInt(descriptor.sizeBytes));
  return { id: descriptor.digest, manifestDigest, sizeBytes, config, layers, architecture, os };
}

/** @source OCI image specification, "Layer ChainID" */
export function chain(packed: readonly { readonly digest: string }[], diffIds: readonly string[]): LayerRef[] {
  let chainId = "";
  return diffIds.map((diffId, index) => {
    chainId = chainId === "" ? diffId : `sha256:${createHash("sha256").update(`${chainId} ${diffId}`).digest("hex")}`;
    return { digest: packed[index]?.digest ?? "", diffId, chainId };
  });
}

async function inParallel<T>(most: number, items: readonly T[], work: (item: T, index: number) => Promise<void>): Promise<void> {
  let next = 0;
  let failed = false;
  const worker = async (): Promise<void> => {
    while (next < items.length && !failed) {
      const index = next++;
      const item = items[index];
      try {
        if (item !== undefined) await work(item, index);
      } catch (failure) {
        failed = true;
        throw failure;
      }
    }
  };
  const results = await Promise.allSettled(Array.from({ length: Math.min(most, items.length) }, worker));
  const first = results.find((result) => result.status === "rejected");
  if (first !== undefined) throw first.reason;
}
