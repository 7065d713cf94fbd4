// An image's packed parts as they are on the node, and the manifest that ties them together in an archive.
import { createHash } from "node:crypto";
import { AgentError } from "../../base/errors.ts";
import type { ContentStore } from "../content/content-store.ts";
import { isObject, parseJsonObject } from "../image-config.ts";
import type { Lease } from "../leases.ts";
import type { ImageRecord, LayerRef } from "../records.ts";
import { type Descriptor, MAX_DOCUMENT_BYTES } from "../registry/manifest.ts";
import { layerTypeOf } from "./layer-type.ts";

export const OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const OCI_CONFIG = "application/vnd.oci.image.config.v1+json";

export interface PackedImage {
  readonly config: Descriptor;
  /** from the lowest */
  readonly layers: readonly Descriptor[];
  readonly manifest: { readonly digest: string; readonly bytes: Buffer };
}

/** Where packed parts are looked for, and what keeps them while they are read. */
export interface PackedPlace {
  readonly content: ContentStore;
  readonly lease: Lease;
  /** all on the node: a layer that was unpacked for one image may have been fetched packed for another one only */
  readonly images: readonly ImageRecord[];
}

/**
 * The manifest is the one that was pulled, unless it is of Docker's types, lost, or names layers that are here packed otherwise;
 * then it is written anew. The config is the same in any case, and with it the image's id.
 *
 * @throws AgentError failed-precondition when a packed part is not here
 */
export async function packedImage(image: ImageRecord, place: PackedPlace): Promise<PackedImage> {
  const { content, lease } = place;
  for (const digest of [image.id, image.manifestDigest, ...image.layers.map((each) => each.digest)]) lease.hold(digest);
  const config = { mediaType: OCI_CONFIG, digest: image.id, sizeBytes: await sizeOfConfig(image, content) };
  const layers: Descriptor[] = [];
  for (const layer of image.layers) layers.push(await packedLayer(image, layer, place));
  const asPulled = layers.every(({ digest }, index) => digest === image.layers[index]?.digest);
  const bytes = (asPulled ? await ociManifest(image, content) : undefined) ?? newManifest(config, layers);
  return { config, layers, manifest: { digest: `sha256:${createHash("sha256").update(bytes).digest("hex")}`, bytes } };
}

async function sizeOfConfig({ id }: ImageRecord, content: ContentStore): Promise<number> {
  const sizeBytes = await content.sizeOf(id);
  if (sizeBytes === undefined) throw new AgentError("failed-precondition", `its config ${id} is not on this node any more; pull it again`);
  return sizeBytes;
}

async function packedLayer(image: ImageRecord, { digest, diffId }: LayerRef, { content, lease, images }: PackedPlace): Promise<Descriptor> {
  const equal = images.flatMap(({ layers }) => layers.filter((each) => each.diffId === diffId).map((each) => each.digest));
  for (const each of new Set([digest, ...equal])) {
    lease.hold(each);
    const sizeBytes = await content.sizeOf(each);
    if (sizeBytes !== undefined) return { mediaType: await layerTypeOf(content.path(each)), digest: each, sizeBytes };
  }
  throw new AgentError("failed-precondition", `its packed layer ${digest} is not on this node; remove image ${image.id} and pull it again`);
}

async function ociManifest({ id, manifestDigest }: ImageRecord, content: ContentStore): Promise<Buffer | undefined> {
  // An archive of docker save has none, and the image is known by its config.
  if (manifestDigest === id || (await content.sizeOf(manifestDigest)) === undefined) return undefined;
  const bytes = await content.read(manifestDigest, MAX_DOCUMENT_BYTES);
  const { mediaType, config } = parseJsonObject(bytes, `manifest ${manifestDigest}`);
  // Where it does not say what it is, its config does.
  return (mediaType ?? (isObject(config) && config["mediaType"] === OCI_CONFIG ? OCI_MANIFEST : "")) === OCI_MANIFEST ? bytes : undefined;
}

function newManifest(config: Descriptor, layers: readonly Descriptor[]): Buffer {
  return Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: OCI_MANIFEST, config: toJson(config), layers: layers.map(toJson) }));
}

const toJson = ({ mediaType, digest, sizeBytes }: Descriptor) => ({ mediaType, digest, size: sizeBytes });
