import test from "ava";
import { Compression } from "../../../../src/generated/berth/native/helper.ts";
import { layerCompression, parseDocument } from "../../../../src/image/registry/manifest.ts";
import { makeImage, OCI_CONFIG, OCI_INDEX, OCI_MANIFEST } from "../../../lib/oci-image.ts";

const DIGEST = `sha256:${"a".repeat(64)}`;
const DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json";
const config = { mediaType: OCI_CONFIG, digest: DIGEST, size: 10 };
const manifest = { schemaVersion: 2, config, layers: [] };
const index = {
  schemaVersion: 2,
  manifests: [{ mediaType: OCI_MANIFEST, digest: DIGEST, size: 5, platform: { os: "linux", architecture: "arm", variant: "v7" } }],
};
const parse = (document: unknown, mediaType = "") => parseDocument(Buffer.from(JSON.stringify(document)), mediaType);

test("a manifest is read with its config and layers", (t) => {
  const image = makeImage({ layers: [{ a: "1" }, { b: "2" }] });
  const document = parseDocument(image.manifest.bytes, OCI_MANIFEST);
  t.is(document.kind, "manifest");
  if (document.kind !== "manifest") return;
  t.is(document.manifest.config.digest, image.id);
  t.deepEqual(
    document.manifest.layers.map(({ digest, sizeBytes }) => [digest, sizeBytes]),
    image.layers.map(({ digest, bytes }) => [digest, bytes.length]),
  );
});

test("an index is read with its platforms", (t) => {
  t.like(parse(index, OCI_INDEX), {
    kind: "index",
    manifests: [{ digest: DIGEST, sizeBytes: 5, platform: { os: "linux", architecture: "arm", variant: "v7" } }],
  });
});

test("without a media type of its own, a document is what it looks like", (t) => {
  t.is(parse(manifest, "application/json").kind, "manifest");
  t.is(parse(index).kind, "index");
});

const REFUSED: readonly (readonly [string, unknown, string?])[] = [
  ["one that is index and manifest at once", { ...index, layers: [], config }],
  ["one that is index and half a manifest", { ...index, layers: [] }],
  ["a manifest that calls itself an index", { ...manifest, mediaType: OCI_INDEX }],
  ["an index that calls itself a manifest", { ...index, mediaType: OCI_MANIFEST }],
  ["a manifest that was served as an index", manifest, OCI_INDEX],
  ["an index that was served as a manifest", index, DOCKER_MANIFEST],
  ["one whose own type is not the one it was served as", { ...manifest, mediaType: OCI_MANIFEST }, DOCKER_MANIFEST],
  ["one of a kind that we don't know", { ...manifest, mediaType: "application/vnd.example" }],
  ["one whose type is no text", { ...manifest, mediaType: 5 }],
  ["schema 1", { ...manifest, schemaVersion: 1 }],
  ["an artifact that is no image", { ...manifest, config: { ...config, mediaType: "application/vnd.cncf.helm.config.v1+json" } }],
  ["one without a config", { schemaVersion: 2, layers: [] }],
  ["a digest of another algorithm", { ...manifest, config: { ...config, digest: "md5:1" } }],
  ["a digest that leads out of a folder", { ...manifest, config: { ...config, digest: "sha256:../../etc" } }],
  ["a size below nothing", { ...manifest, config: { ...config, size: -1 } }],
  ["a size that is no number", { ...manifest, config: { ...config, size: "10" } }],
  ["a size that no disk has", { ...manifest, config: { ...config, size: 2 ** 52 } }],
  ["layers without end", { ...manifest, layers: Array.from({ length: 1001 }, () => config) }],
  ["a list", []],
];

for (const [what, document, mediaType] of REFUSED) {
  test(`${what} is refused`, (t) => {
    t.like(
      t.throws(() => parse(document, mediaType)),
      { kind: "invalid-argument" },
    );
  });
}

test("the type of a layer says how it is packed", (t) => {
  const layer = (mediaType: string) => layerCompression({ mediaType, digest: DIGEST, sizeBytes: 1 });
  t.is(layer("application/vnd.oci.image.layer.v1.tar"), Compression.COMPRESSION_NONE);
  t.is(layer("application/vnd.oci.image.layer.v1.tar+zstd"), Compression.COMPRESSION_ZSTD);
  t.is(layer("application/vnd.docker.image.rootfs.diff.tar.gzip"), Compression.COMPRESSION_GZIP);
  t.like(
    t.throws(() => layer("application/vnd.oci.image.layer.v1.tar+gzip+encrypted")),
    { kind: "invalid-argument" },
  );
});
