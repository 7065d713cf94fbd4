import { join } from "node:path";
import test from "ava";
import { AgentError } from "../../../src/base/errors.ts";
import { gate } from "../../lib/gate.ts";
import { startImages, until } from "../../lib/image-puller.ts";
import { makeImage } from "../../lib/oci-image.ts";

test("a removed image leaves nothing, and removing it again succeeds", async (t) => {
  const { registry, node, pull } = await startImages(t);
  const image = makeImage({ layers: [{ a: "1" }, { b: "2" }] });
  registry.add("app", "1", image);
  registry.add("alias", "1", image);
  await pull("app:1");
  await pull("alias:1");
  t.true((await node.images.fileSystemUsage()).usedBytes > 0n);
  await node.images.remove(`${registry.address}/app:1`);
  t.deepEqual([node.images.list(), await node.remains()], [[], []], "all names go at once");
  t.like(await node.images.fileSystemUsage(), { usedBytes: 0n, inodesUsed: 0n });
  await node.images.remove(`${registry.address}/app:1`);
});

test("what another image needs stays when an image is removed", async (t) => {
  const { registry, node, pull } = await startImages(t);
  const [one, two] = [makeImage({ layers: [{ shared: "x" }, { one: "1" }] }), makeImage({ layers: [{ shared: "x" }, { two: "2" }] })];
  registry.add("one", "1", one);
  registry.add("two", "1", two);
  await pull("one:1");
  const kept = await pull("two:1");
  await node.images.remove(one.id);
  t.notThrows(() => node.images.lowerDirs(kept));
  t.is((await node.remains()).filter((name) => name.startsWith("snapshots/")).length, 2);
});

test("what a container uses stays until it is gone", async (t) => {
  const { registry, node, pull } = await startImages(t);
  const image = makeImage();
  registry.add("app", "1", image);
  const record = await pull("app:1");
  const release = node.images.retain(record.id);
  await node.images.remove("missing");
  await node.images.remove(record.id);
  t.is(node.images.find(record.id), undefined);
  t.is(node.images.get(record.id).id, record.id);
  t.notThrows(() => node.images.lowerDirs(record));
  release();
  await until(t, "the layers are gone", async () => (await node.remains()).length === 0);
  t.like(
    t.throws(() => node.images.get(record.id)),
    { kind: "not-found" },
  );
});

test("a removed image that is pulled again while a container uses it is whole again", async (t) => {
  const { registry, node, pull } = await startImages(t);
  registry.add("app", "1", makeImage());
  const record = await pull("app:1");
  const release = node.images.retain(record.id);
  await node.images.remove(record.id);
  await pull("app:1");
  release();
  t.is(node.images.find(`${registry.address}/app:1`)?.id, record.id);
  t.notThrows(() => node.images.lowerDirs(record));
});

test("a container that found an image just before it was removed can't begin to use it", async (t) => {
  const { registry, node, pull } = await startImages(t);
  registry.add("app", "1", makeImage());
  const record = await pull("app:1");
  await node.images.remove(record.id);
  t.like(
    t.throws(() => node.images.retain(record.id)),
    { kind: "not-found" },
  );
  await pull("app:1");
  t.notThrows(() => node.images.retain(record.id));
});

test("a pull under way keeps what it has, whatever is removed meanwhile", async (t) => {
  const { helper, registry, node, pull } = await startImages(t);
  const [one, two] = [makeImage({ layers: [{ shared: "x" }] }), makeImage({ layers: [{ shared: "x" }, { two: "2" }] })];
  registry.add("one", "1", one);
  registry.add("two", "1", two);
  await pull("one:1");
  const unpacking = gate();
  helper.beforeUnpack = unpacking.pass;
  const pulling = pull("two:1");
  await unpacking.reached;
  await node.images.remove(one.id);
  unpacking.open();
  const record = await pulling;
  t.is(node.images.lowerDirs(record).lowerDirs.length, 2);
  t.is(helper.unpacked.length, 2, "the shared layer was not unpacked again");
});

test("a removal does not wait for a pull of something else", async (t) => {
  const { helper, registry, node, pull } = await startImages(t);
  registry.add("one", "1", makeImage({ layers: [{ one: "1" }] }));
  registry.add("two", "1", makeImage({ layers: [{ two: "2" }] }));
  const record = await pull("one:1");
  const unpacking = gate();
  helper.beforeUnpack = unpacking.pass;
  const pulling = pull("two:1");
  await unpacking.reached;
  await node.images.remove(record.id);
  t.deepEqual(
    (await node.remains()).filter((name) => name.startsWith("snapshots/")),
    [],
  );
  unpacking.open();
  await pulling;
});

test("a layer that can't be cleared away is told to who removed its image, and to nobody else", async (t) => {
  const { helper, registry, node, pull } = await startImages(t);
  registry.add("one", "1", makeImage({ layers: [{ one: "1" }] }));
  registry.add("two", "1", makeImage({ layers: [{ two: "2" }] }));
  const [one, two] = [await pull("one:1"), await pull("two:1")];
  const stuck = join(node.root, "snapshots", node.images.lowerDirs(one).lowerDirs[0] ?? "?");
  helper.beforeRemove = async (path) => {
    if (path === stuck) throw new AgentError("unavailable", "it is busy");
  };
  t.regex((await t.throwsAsync(node.images.remove(one.id))).message, /^remove image .*it is busy/);
  await node.images.remove(two.id);
  helper.beforeRemove = async () => {};
  await node.images.collectGarbage();
  t.deepEqual(await node.remains(), []);
});

test("a removed image that a container used until the end is cleared away at the next start", async (t) => {
  const { registry, node, pull } = await startImages(t);
  registry.add("app", "1", makeImage());
  const record = await pull("app:1");
  node.images.retain(record.id);
  await node.images.remove(record.id);
  await node.restart();
  const release = node.images.retain(record.id);
  await node.images.collectGarbage();
  t.is(node.images.get(record.id).id, record.id, "a container that is still there keeps it");
  release();
  await until(t, "the layers are gone", async () => (await node.remains()).length === 0);
});
