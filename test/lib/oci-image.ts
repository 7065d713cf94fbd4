// Images made in a test: a few bytes, of any shape.
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { makeTar, type TarEntry } from "./tar.ts";

export const OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json";
export const OCI_INDEX = "application/vnd.oci.image.index.v1+json";
export const OCI_CONFIG = "application/vnd.oci.image.config.v1+json";
const OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip";

export interface Blob {
  readonly digest: string;
  readonly bytes: Buffer;
}

export interface TestImage {
  /** the config's digest */
  readonly id: string;
  readonly config: Blob;
  readonly layers: readonly Blob[];
  readonly diffIds: readonly string[];
  readonly manifest: Blob;
}

export interface ImageShape {
  /** One layer each, with a file of this name and content. */
  readonly layers?: readonly Readonly<Record<string, string>>[];
  /** One layer each, in their place, with anything in it. */
  readonly entries?: readonly (readonly TarEntry[])[];
  readonly config?: Readonly<Record<string, unknown>>;
  readonly architecture?: string;
  readonly diffIds?: readonly string[];
  /** laid over the manifest */
  readonly manifest?: Readonly<Record<string, unknown>>;
}

export const sha256 = (bytes: Uint8Array): string => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
export const blobOf = (content: string | Uint8Array): Blob => ({ digest: sha256(Buffer.from(content)), bytes: Buffer.from(content) });
export const jsonBlob = (value: unknown): Blob => blobOf(JSON.stringify(value));
export const descriptorOf = (mediaType: string, { digest, bytes }: Blob) => ({ mediaType, digest, size: bytes.length });

const ARCHITECTURE: Readonly<Record<string, string>> = { x64: "amd64" };
export const ourArchitecture = ARCHITECTURE[process.arch] ?? process.arch;

export function makeImage(shape: ImageShape = {}): TestImage {
  const files = (shape.layers ?? [{ "hello.txt": "hello\n" }]).map((layer) =>
    Object.entries(layer).map(([name, content]) => ({ name, content })),
  );
  const { entries = files, config, ...rest } = shape;
  return imageOf(entries.map(makeTar), { ...rest, config: { Cmd: ["/hello"], Env: ["PATH=/bin"], ...config } });
}

/** An image whose layers are these tars, as they are. */
export function imageOf(tars: readonly Buffer[], shape: Omit<ImageShape, "layers" | "entries"> = {}): TestImage {
  const layers = tars.map((tar) => blobOf(gzipSync(tar, { level: 1 })));
  return imageWith(layers, shape.diffIds ?? tars.map(sha256), shape);
}

function imageWith(layers: readonly Blob[], diffIds: readonly string[], shape: Omit<ImageShape, "layers" | "entries">): TestImage {
  const config = jsonBlob({
    architecture: shape.architecture ?? ourArchitecture,
    os: "linux",
    config: shape.config ?? {},
    rootfs: { type: "layers", diff_ids: diffIds },
  });
  const manifest = jsonBlob({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: descriptorOf(OCI_CONFIG, config),
    layers: layers.map((layer) => descriptorOf(OCI_LAYER, layer)),
    ...shape.manifest,
  });
  return { id: config.digest, config, layers, diffIds, manifest };
}

/** The image with a layer more, and another config. */
export function onTopOf(
  base: TestImage,
  entries: readonly TarEntry[],
  config: Readonly<Record<string, unknown>>,
  manifest: Readonly<Record<string, unknown>> = {},
): TestImage {
  const tar = makeTar(entries);
  const layers = [...base.layers, blobOf(gzipSync(tar, { level: 1 }))];
  return imageWith(layers, [...base.diffIds, sha256(tar)], { config, manifest });
}

/** The layout of an image archive: names in the tar, and what they hold. */
export function layoutOf(
  images: readonly { readonly image: TestImage; readonly annotations?: Readonly<Record<string, string>> }[],
): { name: string; content: Buffer }[] {
  const blobs = new Map(
    images.flatMap(({ image }) => [image.config, image.manifest, ...image.layers].map((blob) => [blob.digest, blob.bytes])),
  );
  const manifests = images.map(({ image, annotations }) => ({ ...descriptorOf(OCI_MANIFEST, image.manifest), annotations }));
  return [
    { name: "oci-layout", content: Buffer.from('{"imageLayoutVersion":"1.0.0"}') },
    { name: "index.json", content: Buffer.from(JSON.stringify({ schemaVersion: 2, manifests })) },
    ...[...blobs].map(([digest, content]) => ({ name: `blobs/sha256/${digest.slice(7)}`, content })),
  ];
}
