// Images as one tar that is written while it is sent: an OCI layout and, in a docker-archive, Docker's list of it too. All that
// can be missing is looked for before the first byte.
import { createReadStream } from "node:fs";
import { AgentError, during } from "../base/errors.ts";
import { throwIfAborted } from "./abortable-calls.ts";
import { blobName, CONTAINERD_REF, OCI_REF } from "./archive/oci-layout.ts";
import { OCI_MANIFEST, type PackedImage, packedImage, type PackedPlace } from "./archive/packed-image.ts";
import { tarEnd, tarHeader, tarPadding } from "./archive/tar-header.ts";
import type { ImageRecord } from "./records.ts";

export const ARCHIVE_FORMATS = ["docker-archive", "oci-archive"] as const;
export type ArchiveFormat = (typeof ARCHIVE_FORMATS)[number];

export interface ImageToSave {
  readonly image: ImageRecord;
  /** "registry/path:tag", those that it has in the archive */
  readonly names: readonly string[];
}

interface Member {
  readonly name: string;
  readonly sizeBytes: number;
  /** itself, or the path of its file */
  readonly content: Buffer | string;
}

const PIECE_BYTES = 1024 * 1024;

/**
 * @param wanted each image once
 * @returns pieces of at most 1 MiB; the next one is read when it is asked for
 * @throws AgentError failed-precondition before the first piece, when a packed layer is not here
 */
export async function* saveArchive(
  wanted: readonly ImageToSave[],
  format: ArchiveFormat,
  place: PackedPlace,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const all: (ImageToSave & { readonly packed: PackedImage })[] = [];
  for (const each of wanted)
    all.push({ ...each, packed: await during(`save image ${each.image.id}`, () => packedImage(each.image, place)) });
  const blobs = all.flatMap(({ packed: { config, layers, manifest } }) => [
    bytesMember(blobName(manifest.digest), manifest.bytes),
    ...[config, ...layers].map(({ digest, sizeBytes }) => ({ name: blobName(digest), sizeBytes, content: place.content.path(digest) })),
  ]);
  const members = [
    jsonMember("oci-layout", { imageLayoutVersion: "1.0.0" }),
    jsonMember("index.json", { schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: all.flatMap(toEntries) }),
    ...(format === "docker-archive" ? [jsonMember("manifest.json", all.map(toDockerEntry))] : []),
    // Layers that images share are there once.
    ...new Map(blobs.map((blob) => [blob.name, blob])).values(),
  ];
  for (const { name, sizeBytes, content } of members) {
    yield tarHeader(name, sizeBytes);
    if (typeof content === "string") yield* readWhole(content, sizeBytes, signal);
    else yield content;
    yield tarPadding(sizeBytes);
  }
  yield tarEnd();
}

async function* readWhole(path: string, sizeBytes: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  let left = sizeBytes;
  // Never past the size that the header has told.
  for await (const piece of createReadStream(path, {
    highWaterMark: PIECE_BYTES,
    end: Math.max(sizeBytes - 1, 0),
  }) as AsyncIterable<Buffer>) {
    throwIfAborted(signal);
    left -= piece.length;
    yield piece;
  }
  if (left !== 0) throw new AgentError("internal", `save images: ${path} became ${left} bytes shorter while it was read`);
}

const bytesMember = (name: string, content: Buffer): Member => ({ name, sizeBytes: content.length, content });
const jsonMember = (name: string, value: unknown): Member => bytesMember(name, Buffer.from(JSON.stringify(value)));

/** An entry for each name: readers of a layout look for one. */
function toEntries({ names, packed: { manifest } }: { readonly names: readonly string[]; readonly packed: PackedImage }): object[] {
  const entry = { mediaType: OCI_MANIFEST, digest: manifest.digest, size: manifest.bytes.length };
  if (names.length === 0) return [entry];
  return names.map((name) => ({
    ...entry,
    annotations: { [CONTAINERD_REF]: name, [OCI_REF]: name.slice(name.lastIndexOf(":") + 1) },
  }));
}

const toDockerEntry = ({ names, packed }: { readonly names: readonly string[]; readonly packed: PackedImage }): object => ({
  Config: blobName(packed.config.digest),
  RepoTags: names.length > 0 ? names : null,
  Layers: packed.layers.map(({ digest }) => blobName(digest)),
});
