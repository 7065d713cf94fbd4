// From a manifest whose blobs can be had to an image whose layers are unpacked. Pulls and archives end here alike.
import { createHash } from "node:crypto";
import type { ShowStage } from "../base/activity.ts";
import { AgentError } from "../base/errors.ts";
import type { ContentStore } from "./content/content-store.ts";
import { parseImageConfig } from "./image-config.ts";
import { inParallel } from "./in-parallel.ts";
import type { Lease } from "./leases.ts";
import type { PullProgress } from "./pull-progress.ts";
import type { ImageRecord, LayerRef } from "./records.ts";
import { type Descriptor, layerCompression, type Manifest } from "./registry/manifest.ts";
import { checkPlatform } from "./registry/platform.ts";
import type { SnapshotStore } from "./snapshot/snapshot-store.ts";

export type BuiltImage = Omit<ImageRecord, "references" | "repoDigests" | "createdAtNanos" | "pinned" | "removed">;

/** Brings a blob into the content store unless it is there. `checked` may be called as that of `ContentStore.ensure` is. */
export type FetchBlob = (descriptor: Descriptor, signal: AbortSignal, checked?: (path: string) => Promise<void>) => Promise<void>;

/** Where an image is built, and what keeps its parts meanwhile. */
export interface BuildPlace {
  readonly content: ContentStore;
  readonly snapshots: SnapshotStore;
  readonly lease: Lease;
  readonly signal: AbortSignal;
  readonly show: ShowStage;
  readonly progress?: PullProgress;
}

const MAX_CONFIG_BYTES = 8 * 1024 * 1024;
// Enough to keep a link busy while the slowest layer unpacks.
const PARALLEL_LAYERS = 3;

/** @throws AgentError invalid-argument for an image that contradicts itself, not-found for one of another machine */
export async function buildImage(manifest: Manifest, manifestDigest: string, place: BuildPlace, fetch: FetchBlob): Promise<BuiltImage> {
  const { content, snapshots, lease, signal, show, progress } = place;
  const { config: descriptor, layers: packed } = manifest;
  if (descriptor.sizeBytes > MAX_CONFIG_BYTES)
    throw new AgentError("resource-exhausted", `read image config ${descriptor.digest}: it is over ${MAX_CONFIG_BYTES} bytes`);
  for (const layer of packed) layerCompression(layer); // refused before a byte of them is fetched
  for (const { digest } of [descriptor, ...packed]) lease.hold(digest);
  show("config");
  await fetch(descriptor, signal);
  const { config, history, architecture, os, diffIds } = parseImageConfig(await content.read(descriptor.digest, MAX_CONFIG_BYTES));
  checkPlatform({ os, architecture });
  if (diffIds.length !== packed.length) {
    throw new AgentError(
      "invalid-argument",
      `read image ${manifestDigest}: its manifest has ${packed.length} layers, its config ${diffIds.length}`,
    );
  }
  const layers = chain(packed, diffIds);
  for (const { digest, sizeBytes } of packed) progress?.expect(digest, sizeBytes);
  for (const { chainId } of layers) lease.hold(chainId);
  const work = layers.flatMap((layer, index) => (packed[index] === undefined ? [] : [{ layer, blob: packed[index] }]));
  let there = 0;
  show(`layers ${there}/${work.length}`);
  await inParallel(PARALLEL_LAYERS, work, signal, async ({ layer, blob }, either) => {
    await snapshots.prepare(layer, layerCompression(blob), either, async (unpack) => {
      let unpacking: Promise<void> | undefined;
      // That a layer can't be unpacked is not the fault of who brought it, and no reason to ask another.
      const begin = async (path: string): Promise<void> => {
        progress?.phase(blob.digest, "unpacking");
        unpacking ??= unpack(path);
        await Promise.allSettled([unpacking]);
      };
      await fetch(blob, either, begin);
      if (unpacking === undefined) await begin(content.path(blob.digest));
      await unpacking;
    });
    show(`layers ${++there}/${work.length}`);
    progress?.phase(blob.digest, "done");
  });
  const sizeBytes = packed.reduce((sum, layer) => sum + BigInt(layer.sizeBytes), BigInt(descriptor.sizeBytes));
  return { id: descriptor.digest, manifestDigest, sizeBytes, config, layers: withSizes(layers, snapshots), history, architecture, os };
}

function withSizes(layers: readonly LayerRef[], snapshots: SnapshotStore): LayerRef[] {
  const sizes = new Map([...snapshots.snapshots()].map(({ id, sizeBytes }) => [id, sizeBytes]));
  return layers.map((layer) => {
    const unpackedBytes = sizes.get(layer.chainId);
    return unpackedBytes === undefined ? layer : { ...layer, unpackedBytes };
  });
}

/** @source OCI image specification, "Layer ChainID" */
function chain(packed: readonly { readonly digest: string }[], diffIds: readonly string[]): LayerRef[] {
  let chainId = "";
  return diffIds.map((diffId, index) => {
    chainId = chainId === "" ? diffId : `sha256:${createHash("sha256").update(`${chainId} ${diffId}`).digest("hex")}`;
    return { digest: packed[index]?.digest ?? "", diffId, chainId };
  });
}
