import test from "ava";
import { startImages, until } from "../../lib/image-puller.ts";
import { makeImage } from "../../lib/oci-image.ts";

test("a tag that moves is the newer image's, and the older one stays without it", async (t) => {
  const { registry, node, pull } = await startImages(t);
  const [older, newer] = [makeImage(), makeImage({ config: { User: "new" } })];
  registry.add("app", "1", older);
  await pull("app:1");
  registry.add("app", "1", newer);
  await pull("app:1");
  t.is(node.images.find(`${registry.address}/app:1`)?.id, newer.id);
  t.deepEqual(node.images.find(older.id)?.references, []);
});

test("an image that is tagged has one more name, which the image loses that had it", async (t) => {
  const { registry, node, pull } = await startImages(t);
  const [one, two] = [makeImage(), makeImage({ config: { User: "two" } })];
  registry.add("one", "1", one);
  registry.add("two", "1", two);
  await Promise.all([pull("one:1"), pull("two:1")]);
  const names = (image: { readonly id: string }) => node.images.find(image.id)?.references;
  const [oneName, twoName] = [`${registry.address}/one:1`, `${registry.address}/two:1`];
  await node.images.tag(oneName, "tools");
  t.deepEqual(names(one), [oneName, "docker.io/library/tools:latest"]);
  t.is((await node.images.tag(two.id.slice(7, 20), "tools")).id, two.id);
  t.deepEqual([names(one), names(two)], [[oneName], [twoName, "docker.io/library/tools:latest"]]);
  await node.restart();
  t.deepEqual(names(two), [twoName, "docker.io/library/tools:latest"]);
  t.like(await t.throwsAsync(node.images.tag("nothing", "tools")), {
    kind: "not-found",
    message: 'tag image nothing: image "nothing" is not on this node',
  });
  for (const target of ["Tools", `tools@${one.id}`])
    t.like(await t.throwsAsync(node.images.tag(oneName, target)), { kind: "invalid-argument" });
});

test("an image goes with its last name, and one of several goes alone", async (t) => {
  const { registry, node, pull } = await startImages(t);
  const image = makeImage();
  registry.add("app", "1", image);
  await pull("app:1");
  await node.images.tag(image.id, "tools:2");
  t.like(await node.images.untag("tools:2", true), { wasLast: false });
  t.deepEqual(node.images.find(image.id)?.references, [`${registry.address}/app:1`]);
  t.like(await node.images.untag(`${registry.address}/app:1`, true), { wasLast: true });
  t.is(node.images.find(`${registry.address}/app:1`)?.id, image.id, "the last name was to stay");
  for (const text of ["tools:2", image.id, image.id.slice(7, 20)])
    t.like(await t.throwsAsync(node.images.untag(text, false)), { kind: "not-found" });
  t.like(await node.images.untag(`${registry.address}/app:1`, false), { wasLast: true });
  t.deepEqual([node.images.list(), await node.remains()], [[], []]);
});

test("an image that is used and loses its last name stays for its container", async (t) => {
  const { registry, node, pull } = await startImages(t);
  const image = makeImage();
  registry.add("app", "1", image);
  const record = await pull("app:1");
  node.images.retain(image.id);
  await node.images.untag(`${registry.address}/app:1`, false);
  t.is(node.images.find(image.id), undefined);
  t.is(node.images.lowerDirs(record).lowerDirs.length, 1);
  node.images.release(image.id);
  await until(t, "its layers are gone", async () => (await node.remains()).length === 0);
});
