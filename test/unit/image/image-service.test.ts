import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { startImages } from "../../lib/image-puller.ts";
import { makeImage, ourArchitecture, sha256 } from "../../lib/oci-image.ts";

test("a pulled image has its id, its names, its size and its layers, topmost first for a mount", async (t) => {
  const { registry, node, pull } = await startImages(t);
  const image = makeImage({ layers: [{ a: "1" }, { b: "2" }], config: { User: "web" } });
  registry.add("app", "1", image);
  const record = await pull("app:1");
  t.like(record, {
    id: image.id,
    references: [`${registry.address}/app:1`],
    repoDigests: [`${registry.address}/app@${image.manifest.digest}`],
    architecture: ourArchitecture,
    os: "linux",
  });
  t.is(record.sizeBytes, BigInt([image.config, ...image.layers].reduce((sum, { bytes }) => sum + bytes.length, 0)));
  t.is(record.config.user, "web");
  const { layersDir, lowerDirs } = node.images.lowerDirs(record);
  t.is(layersDir, join(node.root, "snapshots"));
  const tars = await Promise.all(lowerDirs.map((name) => readFile(join(layersDir, name, "layer"))));
  t.deepEqual(tars.map(sha256), [...image.diffIds].reverse());
});

test("images are there after a new start, with all they are known by", async (t) => {
  const { registry, node, pull } = await startImages(t);
  registry.add("app", "1", makeImage({ config: { Labels: { $bigint: "no number" } } }));
  const record = await pull("app:1");
  await node.restart();
  t.deepEqual(node.images.find(`${registry.address}/app:1`), record);
  t.notThrows(() => node.images.lowerDirs(record));
});

test("an image whose layer somebody took away is pulled again", async (t) => {
  const { registry, node, pull } = await startImages(t);
  const image = makeImage();
  registry.add("app", "1", image);
  const record = await pull("app:1");
  await rm(join(node.root, "snapshots/1"), { recursive: true });
  await node.restart();
  t.is(node.images.find(`${registry.address}/app:1`), undefined);
  t.is((await pull("app:1")).id, record.id);
  t.notThrows(() => node.images.lowerDirs(record));
});

test("what is used of the disk is counted from the records", async (t) => {
  const { registry, node, pull } = await startImages(t);
  const image = makeImage();
  registry.add("app", "1", image);
  await pull("app:1");
  const packed = [image.config, image.manifest, ...image.layers].reduce((sum, { bytes }) => sum + bytes.length, 0);
  const { usedBytes, inodesUsed, mountpoint } = await node.images.fileSystemUsage();
  t.true(usedBytes > BigInt(packed));
  t.is(inodesUsed, 3n + 2n);
  t.true(node.root.startsWith(mountpoint));
});
