import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { AgentError } from "../../../src/base/errors.ts";
import { isRegistryUnavailable } from "../../../src/image/image-service.ts";
import { FakeRegistry } from "../../lib/fake-registry.ts";
import { gate } from "../../lib/gate.ts";
import { startImages, until } from "../../lib/image-puller.ts";
import { never } from "../../lib/image-service.ts";
import { descriptorOf, jsonBlob, makeImage, OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, ourArchitecture } from "../../lib/oci-image.ts";

test("an image pulled by its digest has no tag", async (t) => {
  const { registry, node, pull } = await startImages(t);
  const image = makeImage();
  registry.add("app", "1", image);
  const record = await pull(`app@${image.manifest.digest}`);
  t.deepEqual(record.references, []);
  t.is(node.images.find(`${registry.address}/app@${image.manifest.digest}`)?.id, image.id);
});

test("of an index, the image of this machine is pulled, and it is known by the digest of the index", async (t) => {
  const { registry, node, pull } = await startImages(t);
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
  const { registry, node, pull } = await startImages(t);
  registry.add("app", "1", makeImage({ architecture: "other" }));
  t.like(await t.throwsAsync(pull("app:1")), { kind: "not-found" });
  t.deepEqual(await node.remains(), []);
});

test("two pulls of one name at the same time are one", async (t) => {
  const { registry, pull } = await startImages(t);
  const image = makeImage();
  registry.add("app", "1", image);
  const [one, two] = await Promise.all([pull("app:1"), pull("app:1")]);
  t.deepEqual(one, two);
  t.is(registry.count("/manifests/"), 1);
});

test("pulls with other credentials are pulls of their own", async (t) => {
  const { registry, node } = await startImages(t);
  registry.add("app", "1", makeImage());
  const auth = { username: "u", password: "p", auth: "", serverAddress: "", identityToken: "", registryToken: "" };
  await Promise.all([undefined, auth].map((each) => node.images.pull(`${registry.address}/app:1`, each, never)));
  t.is(registry.count("/manifests/"), 2);
});

test("a layer that two images share is fetched and unpacked once, also when they are pulled at the same time", async (t) => {
  const { helper, registry, pull } = await startImages(t);
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
  const { registry, node, pull } = await startImages(t);
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

test("who joins a pull sees how far it is", async (t) => {
  const { helper, registry, node } = await startImages(t);
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
  const { helper, registry, pull } = await startImages(t);
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
  const { helper, registry, node, pull } = await startImages(t);
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
  const { helper, registry, pull } = await startImages(t);
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
  const { registry, node, pull } = await startImages(t);
  registry.add("app", "1", makeImage({ layers: [{ a: "1" }], diffIds: [`sha256:${"0".repeat(64)}`] }));
  const failure = await t.throwsAsync(pull("app:1"));
  t.like(failure, { kind: "invalid-argument" });
  t.regex(failure.message, /its content is sha256:.*, and the config says sha256:0000/);
  t.deepEqual(await node.remains(), []);
  t.deepEqual(node.images.list(), []);
});

test("a manifest with other layers than its config is refused before a layer is fetched", async (t) => {
  const { registry, node, pull } = await startImages(t);
  const image = makeImage({ layers: [{ a: "1" }], diffIds: [] });
  registry.add("app", "1", image);
  t.like(await t.throwsAsync(pull("app:1")), { kind: "invalid-argument" });
  t.is(registry.count(image.layers[0]?.digest ?? "?"), 0);
  t.deepEqual(await node.remains(), []);
});

test("a config that is over 8 MiB is not fetched", async (t) => {
  const { registry, node, pull } = await startImages(t);
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
  const { registry, pull, node } = await startImages(t);
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
  const { registry, node, pull } = await startImages(t);
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
  const { registry, helper, node, pull } = await startImages(t);
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
