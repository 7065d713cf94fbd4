import { rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import test, { type ExecutionContext } from "ava";
import { FakeHelper } from "../../lib/fake-helper.ts";
import { FakeRegistry } from "../../lib/fake-registry.ts";
import { ImageNode, never } from "../../lib/image-service.ts";
import { blobOf, descriptorOf, jsonBlob, makeImage, OCI_CONFIG, OCI_MANIFEST, type TestImage } from "../../lib/oci-image.ts";
import { makeTar, readTar } from "../../lib/tar.ts";

async function start(t: ExecutionContext) {
  const registry = await FakeRegistry.start(t);
  const node = await ImageNode.start(t, new FakeHelper());
  const pull = async (name: string, image: TestImage, manifestType = OCI_MANIFEST) => {
    const [path = "", tag = ""] = name.split(":");
    registry.add(path, tag, image, manifestType);
    return await node.images.pull(`${registry.address}/${name}`, undefined, never);
  };
  const name = (rest: string) => `${registry.address}/${rest}`;
  return { node, pull, name };
}

async function all(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const found: Uint8Array[] = [];
  for await (const piece of pieces) found.push(piece);
  return found;
}

async function saved(
  node: ImageNode,
  names: readonly string[],
  format: "docker-archive" | "oci-archive" = "docker-archive",
): Promise<Buffer> {
  return Buffer.concat(await all(node.images.save(names, format, never)));
}

/** What another node makes of an archive. */
async function loaded(t: ExecutionContext, archive: Buffer) {
  const other = await ImageNode.start(t, new FakeHelper());
  const path = join(other.root, "archive.tar");
  await writeFile(path, archive);
  return await other.images.loadArchive(path, never);
}

const json = (archive: Buffer, name: string) => JSON.parse(readTar(archive).get(name)?.toString() ?? "null");
const blob = (archive: Buffer, digest: string): Buffer | undefined => readTar(archive).get(`blobs/sha256/${digest.slice(7)}`);

test("a saved image is the same one on another node, with the names it was saved by", async (t) => {
  const { node, pull, name } = await start(t);
  const image = makeImage({ layers: [{ a: "1" }, { b: "2" }] });
  await pull("app:1", image);
  await node.images.tag(name("app:1"), "b.example/app:2");
  for (const format of ["docker-archive", "oci-archive"] as const) {
    const archive = await saved(node, [name("app:1"), "b.example/app:2"], format);
    const [other, ...more] = await loaded(t, archive);
    t.like(other, { id: image.id, manifestDigest: image.manifest.digest, references: [name("app:1"), "b.example/app:2"] });
    t.deepEqual(more, []);
    t.is(json(archive, "manifest.json") === null, format === "oci-archive");
  }
});

test("the list of docker save names config, layers and tags", async (t) => {
  const { node, pull, name } = await start(t);
  const image = makeImage({ layers: [{ a: "1" }, { b: "2" }] });
  await pull("app:1", image);
  const blobName = (digest: string) => `blobs/sha256/${digest.slice(7)}`;
  const entry = { Config: blobName(image.id), Layers: image.layers.map(({ digest }) => blobName(digest)) };
  t.deepEqual(json(await saved(node, [name("app:1")]), "manifest.json"), [{ ...entry, RepoTags: [name("app:1")] }]);
  t.deepEqual(json(await saved(node, [image.id]), "manifest.json"), [{ ...entry, RepoTags: null }]);
});

test("layers that images share are in an archive once, and equal images make equal archives", async (t) => {
  const { node, pull, name } = await start(t);
  await pull("one:1", makeImage({ layers: [{ shared: "s" }, { one: "1" }] }));
  await pull("two:1", makeImage({ layers: [{ shared: "s" }, { two: "2" }] }));
  const archive = await saved(node, [name("one:1"), name("two:1")]);
  // Two manifests, two configs and three layers.
  t.is([...readTar(archive).keys()].filter((each) => each.startsWith("blobs/")).length, 7);
  t.is((await loaded(t, archive)).length, 2);
  t.deepEqual(archive, await saved(node, [name("one:1"), name("two:1")]));
});

test("a manifest of Docker's types is written anew as OCI's, and the image stays the same", async (t) => {
  const { node, pull, name } = await start(t);
  const image = makeImage();
  const docker = "application/vnd.docker";
  const dockerManifest = `${docker}.distribution.manifest.v2+json`;
  const manifest = jsonBlob({
    schemaVersion: 2,
    mediaType: dockerManifest,
    config: descriptorOf(`${docker}.container.image.v1+json`, image.config),
    layers: image.layers.map((layer) => descriptorOf(`${docker}.image.rootfs.diff.tar.gzip`, layer)),
  });
  const record = await pull("app:1", { ...image, manifest }, dockerManifest);
  t.is(record.manifestDigest, manifest.digest);
  const archive = await saved(node, [name("app:1")]);
  const [{ mediaType, digest }] = json(archive, "index.json").manifests;
  t.is(mediaType, OCI_MANIFEST);
  t.deepEqual(JSON.parse(blob(archive, digest)?.toString() ?? ""), JSON.parse(image.manifest.bytes.toString()));
  t.is((await loaded(t, archive))[0]?.id, image.id);
});

test("a manifest that does not say what it is stays as it was pulled", async (t) => {
  const { node, pull, name } = await start(t);
  const image = makeImage({ manifest: { mediaType: undefined } });
  await pull("app:1", image);
  t.is(json(await saved(node, [name("app:1")]), "index.json").manifests[0].digest, image.manifest.digest);
});

test("a layer that was fetched packed otherwise, for another image, stands in", async (t) => {
  const { node, pull, name } = await start(t);
  const image = makeImage();
  await pull("first:1", image);
  const plain = image.layers.map(({ bytes }) => blobOf(gunzipSync(bytes)));
  const config = jsonBlob({ ...JSON.parse(image.config.bytes.toString()), created: "2026-01-02T03:04:05Z" });
  const manifest = jsonBlob({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: descriptorOf(OCI_CONFIG, config),
    layers: plain.map((layer) => descriptorOf("application/vnd.oci.image.layer.v1.tar", layer)),
  });
  await pull("second:1", { ...image, id: config.digest, config, manifest, layers: plain });
  const archive = await saved(node, [name("second:1")]);
  t.is(blob(archive, plain[0]?.digest ?? ""), undefined, "it was not fetched");
  t.like((await loaded(t, archive))[0], { id: config.digest, layers: [{ digest: image.layers[0]?.digest }] });
});

test("an image of docker save's form, which has no manifest, gets one", async (t) => {
  const { node, pull, name } = await start(t);
  const image = makeImage();
  await pull("app:1", image);
  const entries = [...readTar(await saved(node, [name("app:1")]))].filter(([each]) => each !== "index.json" && each !== "oci-layout");
  const other = await ImageNode.start(t, new FakeHelper());
  const path = join(other.root, "old.tar");
  await writeFile(path, makeTar(entries.map(([each, content]) => ({ name: each, content }))));
  t.is((await other.images.loadArchive(path, never))[0]?.manifestDigest, image.id);
  const again = Buffer.concat(await all(other.images.save([name("app:1")], "oci-archive", never)));
  t.is((await loaded(t, again))[0]?.id, image.id);
});

test("a packed layer that is gone is told before the first byte, with what to do", async (t) => {
  const { node, pull, name } = await start(t);
  const image = makeImage({ layers: [{ a: "1" }, { b: "2" }] });
  await pull("app:1", image);
  const digest = image.layers[1]?.digest ?? "";
  await rm(join(node.root, "content/blobs/sha256", digest.slice(7)));
  const first = node.images.save([name("app:1")], "docker-archive", never).next();
  t.like(await t.throwsAsync(first), {
    kind: "failed-precondition",
    message: `save image ${image.id}: its packed layer ${digest} is not on this node; remove image ${image.id} and pull it again`,
  });
  t.like(await t.throwsAsync(node.images.save(["nothing"], "docker-archive", never).next()), {
    kind: "not-found",
    message: 'image "nothing" is not on this node',
  });
});

test("an image that is removed while it is saved is in the archive whole, and its layers go after it", async (t) => {
  const { node, pull, name } = await start(t);
  const image = makeImage({ layers: [{ a: "1" }, { b: "2" }] });
  await pull("app:1", image);
  const pieces = node.images.save([name("app:1")], "docker-archive", never);
  const { value } = await pieces.next();
  await node.images.remove(image.id);
  t.true((await node.remains()).some((each) => each.startsWith("content/blobs")));
  const archive = Buffer.concat([value ?? Buffer.alloc(0), ...(await all(pieces))]);
  t.is((await loaded(t, archive))[0]?.id, image.id);
  t.deepEqual(await node.remains(), []);
});

test("a reader that leaves holds no layer any more", async (t) => {
  const { node, pull, name } = await start(t);
  const image = makeImage();
  await pull("app:1", image);
  const pieces = node.images.save([name("app:1")], "docker-archive", never);
  await pieces.next();
  await pieces.return(undefined);
  await node.images.remove(image.id);
  t.deepEqual(await node.remains(), []);
});

test("a blob that became shorter meanwhile ends the archive with a failure", async (t) => {
  const { node, pull, name } = await start(t);
  const image = makeImage();
  await pull("app:1", image);
  const pieces = node.images.save([name("app:1")], "docker-archive", never);
  await pieces.next();
  await truncate(join(node.root, "content/blobs/sha256", (image.layers[0]?.digest ?? "").slice(7)), 10);
  await t.throwsAsync(all(pieces), { message: /bytes shorter while it was read$/ });
});
