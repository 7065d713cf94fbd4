// Makes the demo's image: one static program, as an OCI image layout in a tar.
// usage: node deploy/demo-image.ts PROGRAM ARCHIVE
import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { gzipSync } from "node:zlib";
import { makeTar } from "./lib/tar.ts";

const NAME = "localhost/berth-demo:latest";
const MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json";
const CONFIG_TYPE = "application/vnd.oci.image.config.v1+json";
const LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip";
const PLATFORM = { architecture: "amd64", os: "linux" };

interface Blob {
  readonly mediaType: string;
  readonly digest: string;
  readonly bytes: Uint8Array;
}

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const blobOf = (mediaType: string, bytes: Uint8Array): Blob => ({ mediaType, digest: `sha256:${sha256(bytes)}`, bytes });
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const descriptorOf = ({ mediaType, digest, bytes }: Blob) => ({ mediaType, digest, size: bytes.length });

/** @source OCI image specification: image-layout.md, manifest.md, config.md */
function demoImage(program: Uint8Array): Buffer {
  const files = makeTar([{ name: "berth-demo", content: program, mode: 0o755 }]);
  const layer = blobOf(LAYER_TYPE, gzipSync(files, { level: 9 }));
  const config = blobOf(
    CONFIG_TYPE,
    json({
      ...PLATFORM,
      config: { Entrypoint: ["/berth-demo"], Cmd: ["serve"] },
      rootfs: { type: "layers", diff_ids: [`sha256:${sha256(files)}`] },
    }),
  );
  const manifest = blobOf(
    MANIFEST_TYPE,
    json({ schemaVersion: 2, mediaType: MANIFEST_TYPE, config: descriptorOf(config), layers: [descriptorOf(layer)] }),
  );
  // The first is what containerd and Berth take for the name; the second is the specification's.
  const annotations = { "io.containerd.image.name": NAME, "org.opencontainers.image.ref.name": NAME };
  const index = { schemaVersion: 2, manifests: [{ ...descriptorOf(manifest), platform: PLATFORM, annotations }] };
  return makeTar([
    { name: "oci-layout", content: json({ imageLayoutVersion: "1.0.0" }) },
    { name: "index.json", content: json(index) },
    { name: "blobs/" },
    { name: "blobs/sha256/" },
    ...[manifest, config, layer].map(({ digest, bytes }) => ({ name: `blobs/${digest.replace(":", "/")}`, content: bytes })),
  ]);
}

const [program, archive, ...others] = process.argv.slice(2);
if (program === undefined || archive === undefined || others.length > 0) {
  process.stderr.write("usage: node deploy/demo-image.ts PROGRAM ARCHIVE\n");
  process.exit(2);
}
await mkdir(dirname(archive), { recursive: true });
await writeFile(archive, demoImage(await readFile(program)));
