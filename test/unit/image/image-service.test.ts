import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { AgentError } from "../../../src/base/errors.ts";
import { isRegistryUnavailable } from "../../../src/image/image-service.ts";
import { FakeHelper } from "../../lib/fake-helper.ts";
import { FakeRegistry } from "../../lib/fake-registry.ts";
import { ImageNode, never } from "../../lib/image-service.ts";
import { descriptorOf, jsonBlob, makeImage, OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, ourArchitecture, sha256 } from "../../lib/oci-image.ts";

async function start(t: ExecutionContext) {
  const helper = new FakeHelper();
  const registry = await FakeRegistry.start(t);
  const node = await ImageNode.start(t, helper);
  const pull = (name: string, signal = never) => node.images.pull(`${registry.address}/${name}`, undefined, signal);
  return { helper, registry, node, pull };
}

/** Something that a test lets happen when it wants. */
function gate(): { readonly reached: Promise<void>; readonly pass: () => Promise<void>; open: () => void } {
  let [reach, open] = [(): void => {}, (): void => {}];
  const reached = new Promise<void>((resolve) => {
    reach = resolve;
  });
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return {
    reached,
    pass: async () => {
      reach();
      await opened;
    },
    open,
  };
}

async function until(t: ExecutionContext, what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 5000;
  while (!(await holds())) {
    if (performance.now() > deadline) return t.fail(`${what}: not within 5 s`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test("a pulled image has its id, its names, its size and its layers, topmost first for a mount", async (t) => {
  const { registry, node, pull } = await start(t);
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

test("an image pulled by its digest has no tag", async (t) => {
  const { registry, node, pull } = await start(t);
  const image = makeImage();
  registry.add("app", "1", image);
  const record = await pull(`app@${image.manifest.digest}`);
  t.deepEqual(record.references, []);
  t.is(node.images.find(`${registry.address}/app@${image.manifest.digest}`)?.id, image.id);
});

test("of an index, the image of this machine is pulled, and it is known by the digest of the index", async (t) => {
  const { registry, node, pull } = await start(t);
  const image = makeImage();
  registry.add("app", "unused", image);
  const index = jsonBlob({
    schemaVersion: 2,
    mediaType: OCI_INDEX,
    manifests: [
      { ...descriptorOf(OCI_MANIFEST, makeImage({ architecture: "other" }).manifest), platform: { os: "linux", architecture: "other" } },
      { ...descriptorOf(OCI_MANIFEST, image.manifest), platform: { os: "linux", architecture: ourArchitecture } },
    ],
  });
  registry.put("/v2/app/manifests/1", index.bytes, OCI_INDEX);
  const record = await pull("app:1");
  t.like(record, { id: image.id, manifestDigest: image.manifest.digest, repoDigests: [`${registry.address}/app@${index.digest}`] });
  t.is(node.images.find(`${registry.address}/app@${index.digest}`)?.id, image.id);
});

test("an image of another machine is refused, and nothing of it stays", async (t) => {
  const { registry, node, pull } = await start(t);
  registry.add("app", "1", makeImage({ architecture: "other" }));
  t.like(await t.throwsAsync(pull("app:1")), { kind: "not-found" });
  t.deepEqual(await node.remains(), []);
});

test("two pulls of one name at the same time are one", async (t) => {
  const { registry, pull } = await start(t);
  const image = makeImage();
  registry.add("app", "1", image);
  const [one, two] = await Promise.all([pull("app:1"), pull("app:1")]);
  t.deepEqual(one, two);
  t.is(registry.count("/manifests/"), 1);
});

test("pulls with other credentials are pulls of their own", async (t) => {
  const { registry, node } = await start(t);
  registry.add("app", "1", makeImage());
  const auth = { username: "u", password: "p", auth: "", serverAddress: "", identityToken: "", registryToken: "" };
  await Promise.all([undefined, auth].map((each) => node.images.pull(`${registry.address}/app:1`, each, never)));
  t.is(registry.count("/manifests/"), 2);
});

test("a layer that two images share is fetched and unpacked once, also when they are pulled at the same time", async (t) => {
  const { helper, registry, pull } = await start(t);
  const base = { shared: "base" };
  const [one, two] = [makeImage({ layers: [base, { one: "1" }] }), makeImage({ layers: [base, { two: "2" }] })];
  registry.add("one", "1", one);
  registry.add("two", "1", two);
  const [first, second] = await Promise.all([pull("one:1"), pull("two:1")]);
  t.is(registry.count(one.layers[0]?.digest ?? "?"), 1);
  t.is(helper.unpacked.length, 3);
  t.is(first.layers[0]?.chainId, second.layers[0]?.chainId);
});

test("names of one image that are pulled at the same time are all kept", async (t) => {
  const { registry, node, pull } = await start(t);
  const image = makeImage();
  const names = ["a", "b", "c", "d"];
  for (const name of names) registry.add(name, "1", image);
  await Promise.all(names.map((name) => pull(`${name}:1`)));
  t.deepEqual(
    [...(node.images.find(image.id)?.references ?? [])].sort(),
    names.map((name) => `${registry.address}/${name}:1`),
  );
  t.is(node.images.list().length, 1);
});

test("a tag that moves is the newer image's, and the older one stays without it", async (t) => {
  const { registry, node, pull } = await start(t);
  const [older, newer] = [makeImage(), makeImage({ config: { User: "new" } })];
  registry.add("app", "1", older);
  await pull("app:1");
  registry.add("app", "1", newer);
  await pull("app:1");
  t.is(node.images.find(`${registry.address}/app:1`)?.id, newer.id);
  t.deepEqual(node.images.find(older.id)?.references, []);
});

test("an image that is tagged has one more name, which the image loses that had it", async (t) => {
  const { registry, node, pull } = await start(t);
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
  const { registry, node, pull } = await start(t);
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
  const { registry, node, pull } = await start(t);
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

test("who joins a pull sees how far it is", async (t) => {
  const { helper, registry, node } = await start(t);
  const image = makeImage({ layers: [{ a: "1" }, { b: "2" }] });
  registry.add("app", "1", image);
  const unpacking = gate();
  helper.beforeUnpack = unpacking.pass;
  const name = `${registry.address}/app:1`;
  const first = node.images.startPull(name, undefined, never);
  const second = node.images.startPull(name, undefined, never);
  t.is(second.progress, first.progress);
  await unpacking.reached;
  unpacking.open();
  await second.image;
  t.deepEqual(
    (await second.progress.changes(never).next()).value,
    image.layers.map(({ digest, bytes }) => ({ digest, phase: "done", fetchedBytes: bytes.length, totalBytes: bytes.length })),
  );
  const again = node.images.startPull(name, undefined, never);
  t.not(again.progress, first.progress);
  await again.image;
  t.like((await again.progress.changes(never).next()).value, [
    { phase: "done", fetchedBytes: 0 },
    { phase: "done", fetchedBytes: 0 },
  ]);
});

test("who gives up a pull that another one waits for does not end it", async (t) => {
  const { helper, registry, pull } = await start(t);
  const image = makeImage();
  registry.add("app", "1", image);
  const unpacking = gate();
  helper.beforeUnpack = unpacking.pass;
  const leaving = new AbortController();
  const first = pull("app:1", leaving.signal);
  const second = pull("app:1");
  await unpacking.reached;
  leaving.abort(new AgentError("cancelled", "the client went away"));
  t.like(await t.throwsAsync(first), { kind: "cancelled" });
  unpacking.open();
  t.is((await second).id, image.id);
});

test("a pull that all have given up leaves nothing, and the next one succeeds", async (t) => {
  const { helper, registry, node, pull } = await start(t);
  const image = makeImage({ layers: [{ a: "1" }, { b: "2" }] });
  registry.add("app", "1", image);
  const unpacking = gate();
  helper.beforeUnpack = unpacking.pass;
  const leaving = new AbortController();
  const first = pull("app:1", leaving.signal);
  await unpacking.reached;
  leaving.abort();
  t.like(await t.throwsAsync(first), { kind: "cancelled" });
  unpacking.open();
  await until(t, "the remains of the pull are cleared away", async () => (await node.remains()).length === 0);
  t.is((await pull("app:1")).id, image.id);
});

test("a layer whose pull was given up is brought by the other pull that waited for it", async (t) => {
  const { helper, registry, pull } = await start(t);
  const [one, two] = [makeImage(), makeImage({ config: { User: "two" } })];
  registry.add("one", "1", one);
  registry.add("two", "1", two);
  const unpacking = gate();
  helper.beforeUnpack = async () => {
    helper.beforeUnpack = async () => {};
    await unpacking.pass();
    throw new Error("given up");
  };
  const leaving = new AbortController();
  const first = pull("one:1", leaving.signal);
  await unpacking.reached;
  const second = pull("two:1");
  await until(t, "the second pull has its config", () => registry.count(two.id) === 1);
  leaving.abort();
  unpacking.open();
  await t.throwsAsync(first);
  t.is((await second).id, two.id);
});

test("a layer that is not what the config says fails the pull, and nothing stays", async (t) => {
  const { registry, node, pull } = await start(t);
  registry.add("app", "1", makeImage({ layers: [{ a: "1" }], diffIds: [`sha256:${"0".repeat(64)}`] }));
  const failure = await t.throwsAsync(pull("app:1"));
  t.like(failure, { kind: "invalid-argument" });
  t.regex(failure.message, /its content is sha256:.*, and the config says sha256:0000/);
  t.deepEqual(await node.remains(), []);
  t.deepEqual(node.images.list(), []);
});

test("a manifest with other layers than its config is refused before a layer is fetched", async (t) => {
  const { registry, node, pull } = await start(t);
  const image = makeImage({ layers: [{ a: "1" }], diffIds: [] });
  registry.add("app", "1", image);
  t.like(await t.throwsAsync(pull("app:1")), { kind: "invalid-argument" });
  t.is(registry.count(image.layers[0]?.digest ?? "?"), 0);
  t.deepEqual(await node.remains(), []);
});

test("a config that is over 8 MiB is not fetched", async (t) => {
  const { registry, node, pull } = await start(t);
  const { config } = makeImage();
  const image = makeImage({ manifest: { config: { ...descriptorOf(OCI_CONFIG, config), size: 8 * 2 ** 20 + 1 } } });
  registry.add("app", "1", image);
  const failure = await t.throwsAsync(pull("app:1"));
  t.like(failure, { kind: "resource-exhausted" });
  t.regex(failure.message, /read image config sha256:[0-9a-f]{64}: it is over 8388608 bytes$/);
  t.is(registry.count(config.digest), 0);
  t.deepEqual(await node.remains(), []);
});

test("a registry that is down is told from one that lacks the image", async (t) => {
  const { registry, pull, node } = await start(t);
  const missing = await t.throwsAsync(pull("app:1"));
  t.like(missing, { kind: "not-found" });
  t.false(isRegistryUnavailable(missing));
  registry.intercept = (_request, response) => {
    response.writeHead(503).end();
    return true;
  };
  const down = await t.throwsAsync(pull("app:1"));
  t.like(down, { kind: "unavailable" });
  t.true(isRegistryUnavailable(down));
  t.deepEqual(await node.remains(), []);
});

test("what one mirror lacks or spoils, the next host has", async (t) => {
  const { registry, node, pull } = await start(t);
  const mirror = await FakeRegistry.start(t);
  const image = makeImage();
  registry.add("app", "1", image);
  mirror.put(`/v2/app/manifests/1`, image.manifest.bytes, OCI_MANIFEST);
  mirror.put(`/v2/app/blobs/${image.layers[0]?.digest}`, Buffer.alloc(image.layers[0]?.bytes.length ?? 0));
  const folder = join(node.registryConfigDir, registry.address);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "hosts.toml"), `[host."http://${mirror.address}"]\n`);
  t.is((await pull("app:1")).id, image.id);
  t.is(registry.count("/manifests/"), 0);
});

test("a layer that can't be unpacked is asked of nobody else", async (t) => {
  const { registry, helper, node, pull } = await start(t);
  const mirror = await FakeRegistry.start(t);
  const image = makeImage();
  for (const each of [registry, mirror]) each.add("app", "1", image);
  const folder = join(node.registryConfigDir, registry.address);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "hosts.toml"), `[host."http://${mirror.address}"]\n`);
  helper.beforeUnpack = () => Promise.reject(new AgentError("invalid-argument", "no layer"));
  t.like(await t.throwsAsync(pull("app:1")), { kind: "invalid-argument" });
  t.is(registry.count("/blobs/"), 0);
  t.deepEqual(await node.remains(), []);
});

test("a removed image leaves nothing, and removing it again succeeds", async (t) => {
  const { registry, node, pull } = await start(t);
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
  const { registry, node, pull } = await start(t);
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
  const { registry, node, pull } = await start(t);
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
  const { registry, node, pull } = await start(t);
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
  const { registry, node, pull } = await start(t);
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
  const { helper, registry, node, pull } = await start(t);
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
  const { helper, registry, node, pull } = await start(t);
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
  const { helper, registry, node, pull } = await start(t);
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

test("images are there after a new start, with all they are known by", async (t) => {
  const { registry, node, pull } = await start(t);
  registry.add("app", "1", makeImage({ config: { Labels: { $bigint: "no number" } } }));
  const record = await pull("app:1");
  await node.restart();
  t.deepEqual(node.images.find(`${registry.address}/app:1`), record);
  t.notThrows(() => node.images.lowerDirs(record));
});

test("a removed image that a container used until the end is cleared away at the next start", async (t) => {
  const { registry, node, pull } = await start(t);
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

test("an image whose layer somebody took away is pulled again", async (t) => {
  const { registry, node, pull } = await start(t);
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
  const { registry, node, pull } = await start(t);
  const image = makeImage();
  registry.add("app", "1", image);
  await pull("app:1");
  const packed = [image.config, image.manifest, ...image.layers].reduce((sum, { bytes }) => sum + bytes.length, 0);
  const { usedBytes, inodesUsed, mountpoint } = await node.images.fileSystemUsage();
  t.true(usedBytes > BigInt(packed));
  t.is(inodesUsed, 3n + 2n);
  t.true(node.root.startsWith(mountpoint));
});
