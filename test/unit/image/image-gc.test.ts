import test, { type ExecutionContext } from "ava";
import { type Log, silentLog } from "../../../src/base/log.ts";
import { ImageGc, type ImageGcPolicy, spaceOf } from "../../../src/image/image-gc.ts";
import { FakeHelper } from "../../lib/fake-helper.ts";
import { FakeRegistry } from "../../lib/fake-registry.ts";
import { ImageNode, never } from "../../lib/image-service.ts";
import { makeImage } from "../../lib/oci-image.ts";

async function start(t: ExecutionContext, policy: Partial<ImageGcPolicy> = {}) {
  const registry = await FakeRegistry.start(t);
  const node = await ImageNode.start(t, new FakeHelper());
  const disk = { capacityBytes: 1000n, availableBytes: 100n };
  const told: string[] = [];
  const tell = (fields: unknown, text: string): void => void told.push(`${text} ${JSON.stringify(fields)}`);
  const log: Log = { ...silentLog, info: tell, warn: tell };
  const gc = () =>
    new ImageGc({
      images: node.images,
      policy: { highPercent: 85, lowPercent: 80, minAgeMs: 0, ...policy },
      space: async () => disk,
      nowMs: () => Date.now() + 1,
      log,
    });
  const pull = async (name: string) => {
    const image = makeImage({ layers: [{ [name]: name }] });
    registry.add(name, "1", image);
    return await node.images.pull(`${registry.address}/${name}:1`, undefined, never);
  };
  const names = () => node.images.list().map(({ references }) => references[0]?.split("/").at(-1)?.replace(":1", ""));
  return { node, disk, told, gc, pull, names };
}

test("on a full disk the image goes that was not used for longest, and what went is told", async (t) => {
  const { node, disk, told, gc, pull, names } = await start(t);
  disk.availableBytes = 150n;
  const [one] = [await pull("one"), await pull("two"), await pull("three")];
  node.images.retain(one.id);
  node.images.release(one.id);
  await gc().check();
  t.deepEqual(names(), ["one", "three"]);
  t.regex(told[0] ?? "", /^an unused image was removed, because the disk fills .*"names":\["127.*\/two:1"/);
  t.true((await node.remains()).filter((each) => each.startsWith("snapshots/")).length === 2);
});

test("the last use of an image outlives berthd", async (t) => {
  const { node, disk, gc, pull, names } = await start(t);
  disk.availableBytes = 150n;
  const [one] = [await pull("one"), await pull("two")];
  node.images.retain(one.id);
  node.images.release(one.id);
  await node.restart();
  await gc().check();
  t.deepEqual(names(), ["one"]);
});

test("an image that is pulled anew counts as used", async (t) => {
  const { disk, gc, pull, names } = await start(t);
  disk.availableBytes = 150n;
  for (const name of ["one", "two", "one"]) await pull(name);
  await gc().check();
  t.deepEqual(names(), ["one"]);
});

test("images that containers use stay, and the disk that stays full is told", async (t) => {
  const { node, told, gc, pull, names } = await start(t);
  const one = await pull("one");
  await pull("two");
  node.images.retain(one.id);
  t.is(await node.images.removeUnused(one.id), undefined);
  await gc().check();
  t.deepEqual(names(), ["one"]);
  node.images.release(one.id);
  told.length = 0;
  await gc().check();
  t.deepEqual(names(), []);
  await gc().check();
  t.regex(told.at(-1) ?? "", /^the disk is full of what is no unused image \{"wantedBytes":"100","freedBytes":"0"\}/);
});

test("an image that was removed can't be used any more, and one that comes again can", async (t) => {
  const { node, pull } = await start(t);
  const one = await pull("one");
  t.is((await node.images.removeUnused(one.id))?.id, one.id);
  t.like(
    t.throws(() => node.images.retain(one.id)),
    { kind: "not-found" },
  );
  await pull("one");
  node.images.retain(one.id);
  t.is(await node.images.removeUnused(one.id), undefined);
});

test("a pull sets it off where it is on, and not where it is off", async (t) => {
  const on = await start(t);
  const gc = on.gc();
  gc.start();
  await on.pull("one");
  await gc.stop();
  t.deepEqual(on.names(), []);
  const off = await start(t, { highPercent: 100 });
  off.gc().start();
  await off.pull("one");
  t.deepEqual(off.names(), ["one"]);
});

test("a disk that can't be asked is told, and removes nothing", async (t) => {
  const { node, told, pull, names } = await start(t);
  await pull("one");
  const policy = { highPercent: 85, lowPercent: 80, minAgeMs: 0 };
  const log: Log = { ...silentLog, warn: (fields) => void told.push(JSON.stringify(fields)) };
  const space = () => spaceOf("/no/such/folder");
  await new ImageGc({ images: node.images, policy, space, nowMs: () => Date.now(), log }).check();
  t.regex(told[0] ?? "", /ENOENT/);
  t.deepEqual(names(), ["one"]);
});

test("the file system of a folder is told as df has it", async (t) => {
  const { capacityBytes, availableBytes } = await spaceOf("/");
  t.true(capacityBytes > 0n && availableBytes <= capacityBytes);
});

test("a dry run tells what would go with each image, and leaves it", async (t) => {
  const { node, pull, names } = await start(t);
  const [one, two] = [await pull("one"), await pull("two")];
  node.images.retain(one.id);
  const planned = await node.images.prune([two.id, one.id, two.id, "sha256:unknown"], true);
  t.deepEqual(
    planned.map(({ image }) => image.id),
    [two.id, one.id],
  );
  t.deepEqual(names(), ["one", "two"]);
  const before = (await node.images.fileSystemUsage()).usedBytes;
  const [pruned, ...more] = await node.images.prune([two.id, one.id], false);
  t.deepEqual(more, []);
  t.is(pruned?.freedBytes, planned[0]?.freedBytes);
  t.is((await node.images.fileSystemUsage()).usedBytes, before - (pruned?.freedBytes ?? 0n));
  t.deepEqual(names(), ["one"]);
});
