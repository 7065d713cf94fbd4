// Manifests and indexes: which blobs make an image. Pure.
import { AgentError } from "../../base/errors.ts";
import type { Compression } from "../../generated/berth/native/helper.ts";
import { Compression as WireCompression } from "../../generated/berth/native/helper.ts";
import { isObject, type JsonObject, parseJsonObject } from "../image-config.ts";
import { isDigest } from "../reference.ts";

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly sizeBytes: number;
}

export interface Manifest {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

export type Document = { readonly kind: "manifest"; readonly manifest: Manifest } | { readonly kind: "index"; readonly manifests: readonly PlatformDescriptor[] };

export interface PlatformDescriptor extends Descriptor {
  readonly os: string;
  readonly architecture: string;
}

export const ACCEPTED_TYPES = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.docker.distribution.manifest.v2+json",
];

const INDEX_TYPES = new Set([ACCEPTED_TYPES[0], ACCEPTED_TYPES[2]]);
const LAYER_COMPRESSION: ReadonlyMap<string, Compression> = new Map([
  ["application/vnd.oci.image.layer.v1.tar", WireCompression.COMPRESSION_NONE],
  ["application/vnd.oci.image.layer.v1.tar+gzip", WireCompression.COMPRESSION_GZIP],
  ["application/vnd.oci.image.layer.v1.tar+zstd", WireCompression.COMPRESSION_ZSTD],
  ["application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", WireCompression.COMPRESSION_GZIP],
  ["application/vnd.docker.image.rootfs.diff.tar", WireCompression.COMPRESSION_NONE],
  ["application/vnd.docker.image.rootfs.diff.tar.gzip", WireCompression.COMPRESSION_GZIP],
  ["application/vnd.docker.image.rootfs.diff.tar.zstd", WireCompression.COMPRESSION_ZSTD],
]);
const MAX_ENTRIES = 1000;
// A layer past that would not fit the disks that this runs on; a sum past 2^53 would not be a number.
const MAX_BLOB_BYTES = 2 ** 40;

const refuse = (why: string): AgentError => new AgentError("invalid-argument", `read manifest: ${why}`);

/** @throws AgentError invalid-argument for a document that is neither, or both */
export function parseDocument(bytes: Uint8Array, mediaType: string): Document {
  const json = parseJsonObject(bytes, "manifest");
  const declared = typeof json["mediaType"] === "string" ? json["mediaType"] : mediaType;
  if (mediaType !== "" && ACCEPTED_TYPES.includes(mediaType) && declared !== mediaType) throw refuse(`it says ${declared}, and was served as ${mediaType}`);
  // One that is both could mean different images to different readers of the same digest.
  if ("manifests" in json && ("layers" in json || "config" in json)) throw refuse("it is an index and a manifest at once");
  if ("manifests" in json) {
    if (ACCEPTED_TYPES.includes(declared) && !INDEX_TYPES.has(declared)) throw refuse(`an index calls itself ${declared}`);
    return { kind: "index", manifests: list(json["manifests"], "manifests").map(platformDescriptor) };
  }
  if (INDEX_TYPES.has(declared)) throw refuse(`a manifest calls itself ${declared}`);
  if (json["schemaVersion"] !== 2) throw refuse(`schema version ${String(json["schemaVersion"])} is not 2`);
  return { kind: "manifest", manifest: { config: descriptor(json["config"]), layers: list(json["layers"], "layers").map(descriptor) } };
}

const ARCHITECTURE: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64", ia32: "386", arm: "arm" };

/** The image of an index for this machine. @throws AgentError not-found */
export function choosePlatform(manifests: readonly PlatformDescriptor[], arch: string = process.arch): Descriptor {
  const architecture = ARCHITECTURE[arch] ?? arch;
  const found = manifests.find((each) => each.os === "linux" && each.architecture === architecture);
  if (found !== undefined) return found;
  const offered = manifests.map((each) => `${each.os}/${each.architecture}`).slice(0, 20).join(", ");
  throw new AgentError("not-found", `choose image of index: none is for linux/${architecture}; there are ${offered || "none"}`);
}

/** @throws AgentError invalid-argument for a layer of a kind that can't be unpacked */
export function layerCompression(layer: Descriptor): Compression {
  const compression = LAYER_COMPRESSION.get(layer.mediaType);
  if (compression === undefined) throw refuse(`layer ${layer.digest} is of type ${JSON.stringify(layer.mediaType)}, which can't be unpacked`);
  return compression;
}

function list(value: unknown, field: string): unknown[] {
  if (!Array.isArray(value) || value.length > MAX_ENTRIES) throw refuse(`${field} is no list of at most ${MAX_ENTRIES}`);
  return value;
}

function descriptor(value: unknown): Descriptor {
  if (!isObject(value)) throw refuse("a descriptor is no object");
  const { mediaType, digest, size } = value as JsonObject & { mediaType?: unknown; digest?: unknown; size?: unknown };
  if (typeof digest !== "string" || !isDigest(digest)) throw refuse(`${JSON.stringify(digest)?.slice(0, 100)} is no digest`);
  if (typeof size !== "number" || !Number.isInteger(size) || size < 0 || size > MAX_BLOB_BYTES) throw refuse(`the size of ${digest} is no number of bytes up to ${MAX_BLOB_BYTES}`);
  return { mediaType: typeof mediaType === "string" ? mediaType.slice(0, 256) : "", digest, sizeBytes: size };
}

function platformDescriptor(value: unknown): PlatformDescriptor {
  const platform = isObject(value) && isObject(value["platform"]) ? value["platform"] : {};
  const word = (field: string): string => (typeof platform[field] === "string" ? platform[field].slice(0, 64) : "");
  return { ...descriptor(value), os: word("os"), architecture: word("architecture") };
}
