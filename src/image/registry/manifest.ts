// Manifests and indexes: which blobs make an image. Pure.
import { AgentError } from "../../base/errors.ts";
import { Compression } from "../../generated/berth/native/helper.ts";
import { isObject, type JsonObject, parseJsonObject } from "../image-config.ts";
import { isDigest } from "../reference.ts";
import type { Platform } from "./platform.ts";

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly sizeBytes: number;
}

export interface Manifest {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

export type Document =
  | { readonly kind: "manifest"; readonly manifest: Manifest }
  | { readonly kind: "index"; readonly manifests: readonly PlatformDescriptor[] };

export interface PlatformDescriptor extends Descriptor {
  readonly platform: Platform;
}

export const ACCEPTED_TYPES = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.docker.distribution.manifest.v2+json",
];

/** What the config of a container image is called; charts and other artifacts are kept in registries too. */
const CONFIG_TYPES: ReadonlySet<string> = new Set([
  "application/vnd.oci.image.config.v1+json",
  "application/vnd.docker.container.image.v1+json",
]);
const INDEX_TYPES = new Set([ACCEPTED_TYPES[0], ACCEPTED_TYPES[2]]);
const LAYER_COMPRESSION: ReadonlyMap<string, Compression> = new Map([
  ["application/vnd.oci.image.layer.v1.tar", Compression.COMPRESSION_NONE],
  ["application/vnd.oci.image.layer.v1.tar+gzip", Compression.COMPRESSION_GZIP],
  ["application/vnd.oci.image.layer.v1.tar+zstd", Compression.COMPRESSION_ZSTD],
  ["application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", Compression.COMPRESSION_GZIP],
  ["application/vnd.docker.image.rootfs.diff.tar", Compression.COMPRESSION_NONE],
  ["application/vnd.docker.image.rootfs.diff.tar.gzip", Compression.COMPRESSION_GZIP],
  ["application/vnd.docker.image.rootfs.diff.tar.zstd", Compression.COMPRESSION_ZSTD],
]);
/** of a manifest or an index */
export const MAX_DOCUMENT_BYTES = 4 * 1024 * 1024;
const MAX_ENTRIES = 1000;
// A layer past that would not fit the disks that this runs on; a sum past 2^53 would not be a number.
const MAX_BLOB_BYTES = 2 ** 40;

const shown = (value: unknown): string => String(JSON.stringify(value)).slice(0, 100);
const refuse = (why: string): AgentError => new AgentError("invalid-argument", `read manifest: ${why}`);

/** @throws AgentError invalid-argument for a document that is neither, or both */
export function parseDocument(bytes: Uint8Array, mediaType: string): Document {
  const json = parseJsonObject(bytes, "manifest");
  const declared = typeof json["mediaType"] === "string" ? json["mediaType"] : mediaType;
  if ("mediaType" in json && !ACCEPTED_TYPES.includes(declared))
    throw refuse(`it calls itself ${shown(json["mediaType"])}, which is no kind of image`);
  if (mediaType !== "" && ACCEPTED_TYPES.includes(mediaType) && declared !== mediaType)
    throw refuse(`it says ${declared}, and was served as ${mediaType}`);
  // One that is both could mean different images to different readers of the same digest.
  if ("manifests" in json && ("layers" in json || "config" in json)) throw refuse("it is an index and a manifest at once");
  if (json["schemaVersion"] !== 2) throw refuse(`schema version ${shown(json["schemaVersion"])} is not 2`);
  if ("manifests" in json) {
    if (ACCEPTED_TYPES.includes(declared) && !INDEX_TYPES.has(declared)) throw refuse(`an index calls itself ${declared}`);
    return { kind: "index", manifests: list(json["manifests"], "manifests").map(platformDescriptor) };
  }
  if (INDEX_TYPES.has(declared)) throw refuse(`a manifest calls itself ${declared}`);
  const config = descriptor(json["config"]);
  if (!CONFIG_TYPES.has(config.mediaType))
    throw refuse(`its config is of type ${JSON.stringify(config.mediaType)}, so it is no container image`);
  return { kind: "manifest", manifest: { config, layers: list(json["layers"], "layers").map(descriptor) } };
}

/** @throws AgentError invalid-argument for a layer of a kind that can't be unpacked */
export function layerCompression(layer: Descriptor): Compression {
  const compression = LAYER_COMPRESSION.get(layer.mediaType);
  if (compression === undefined)
    throw refuse(`layer ${layer.digest} is of type ${JSON.stringify(layer.mediaType)}, which can't be unpacked`);
  return compression;
}

function list(value: unknown, field: string): unknown[] {
  if (!Array.isArray(value) || value.length > MAX_ENTRIES) throw refuse(`${field} is no list of at most ${MAX_ENTRIES}`);
  return value;
}

function descriptor(value: unknown): Descriptor {
  if (!isObject(value)) throw refuse("a descriptor is no object");
  const { mediaType, digest, size } = value as JsonObject & { mediaType?: unknown; digest?: unknown; size?: unknown };
  if (typeof digest !== "string" || !isDigest(digest)) throw refuse(`${shown(digest)} is no digest`);
  if (typeof size !== "number" || !Number.isInteger(size) || size < 0 || size > MAX_BLOB_BYTES)
    throw refuse(`the size of ${digest} is no number of bytes up to ${MAX_BLOB_BYTES}`);
  return { mediaType: typeof mediaType === "string" ? mediaType.slice(0, 256) : "", digest, sizeBytes: size };
}

/** An entry of an index. @throws AgentError invalid-argument */
export function platformDescriptor(value: unknown): PlatformDescriptor {
  const platform = isObject(value) && isObject(value["platform"]) ? value["platform"] : {};
  const word = (field: string): string => (typeof platform[field] === "string" ? platform[field].slice(0, 64) : "");
  return { ...descriptor(value), platform: { os: word("os"), architecture: word("architecture"), variant: word("variant") } };
}
