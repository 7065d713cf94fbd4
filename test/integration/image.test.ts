// Images with the real helper, from a real registry and from archives that other tools wrote.
import { execFile } from "node:child_process";
import { lstat, mkdir, readFile, readlink, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import test, { type ExecutionContext } from "ava";
import type { ImageRecord } from "../../src/image/image-service.ts";
import { FakeRegistry, type Intercept } from "../lib/fake-registry.ts";
import { ImageNode, never, temporaryFolder } from "../lib/image-service.ts";
import { blobOf, imageOf, makeImage } from "../lib/oci-image.ts";
import { startHelper } from "../lib/real-helper.ts";
import { DockerRegistry } from "../lib/registry.ts";
import { makeTar } from "../lib/tar.ts";

const run = promisify(execFile);

async function start(t: ExecutionContext) {
  const registry = await DockerRegistry.start(t);
  const root = await temporaryFolder(t);
  const node = await ImageNode.start(t, await startHelper(t, root), root);
  const pull = (name: string) => node.images.pull(`${registry.address}/${name}`, undefined, never);
  return { registry, node, pull };
}

/** Where a file of the topmost layer is. */
function inLayer(node: ImageNode, image: ImageRecord, name: string): string {
  const { layersDir, lowerDirs } = node.images.lowerDirs(image);
  return join(layersDir, lowerDirs[0] ?? "?", name);
}

test("an image is pulled by its tag and by its digest, and its files are there", async (t) => {
  const { registry, node, pull } = await start(t);
  const image = makeImage({ layers: [{ "base.txt": "base" }, { "hello.txt": "hello" }] });
  await registry.push("app", "1", image);
  const byTag = await pull("app:1");
  t.is(byTag.id, image.id);
  t.is(await readFile(inLayer(node, byTag, "hello.txt"), "utf8"), "hello");
  const byDigest = await pull(`app@${image.manifest.digest}`);
  t.is(byDigest.id, image.id);
  t.deepEqual(byDigest.repoDigests, [`${registry.address}/app@${image.manifest.digest}`]);
});

test("links, modes and removed files of layers are as they were packed", async (t) => {
  const { registry, node, pull } = await start(t);
  await registry.push(
    "app",
    "1",
    imageOf([
      makeTar([{ name: "old", content: "x" }]),
      makeTar([{ name: ".wh.old" }, { name: "run", content: "#!", mode: 0o4755 }, { name: "link", link: "/etc/passwd" }]),
    ]),
  );
  const record = await pull("app:1");
  t.is((await stat(inLayer(node, record, "run"))).mode & 0o7777, 0o4755);
  t.is(await readlink(inLayer(node, record, "link")), "/etc/passwd");
  const whiteout = await lstat(inLayer(node, record, "old"));
  t.true(whiteout.isCharacterDevice());
  t.is(whiteout.rdev, 0);
});

test("a digest that the registry does not have is not found, nor is a tag", async (t) => {
  const { registry, node, pull } = await start(t);
  await registry.push("app", "1", makeImage());
  for (const name of ["app:2", "other:1", `app@sha256:${"0".repeat(64)}`]) t.like(await t.throwsAsync(pull(name)), { kind: "not-found" });
  t.deepEqual(await node.remains(), []);
});

test("a layer that the registry lost the end of is refused, and nothing stays", async (t) => {
  const { registry, node, pull } = await start(t);
  const image = makeImage({ layers: [{ a: "x".repeat(100_000) }] });
  await registry.push("app", "1", image);
  await truncate(registry.blobFile(image.layers[0]?.digest ?? "?"), 50);
  const failure = await t.throwsAsync(pull("app:1"));
  t.regex(failure.message, new RegExp(`^pull .*fetch blob ${image.layers[0]?.digest}: .*announced`));
  t.deepEqual([node.images.list(), await node.remains()], [[], []]);
});

test("a layer whose bytes were changed is refused, and nothing stays", async (t) => {
  const { registry, node, pull } = await start(t);
  const image = makeImage();
  await registry.push("app", "1", image);
  const layer = image.layers[0] ?? blobOf("");
  await writeFile(registry.blobFile(layer.digest), Buffer.from(layer.bytes).fill(0, 10, 20));
  t.regex((await t.throwsAsync(pull("app:1"))).message, /the digest of what came is sha256:/);
  t.deepEqual(await node.remains(), []);
});

for (const [what, answer] of [
  ["accepts connections and says nothing", () => true],
  [
    "stops in the middle of a blob",
    (request, response) => {
      if (request.url?.includes("/blobs/") !== true) return false;
      response.writeHead(200, { "content-length": 1000 }).write("half");
      return true;
    },
  ],
] satisfies [string, Intercept][]) {
  test(`a registry that ${what} holds up no other pull, and who gives up does not wait for it`, async (t) => {
    const { registry, node, pull } = await start(t);
    await registry.push("app", "1", makeImage());
    const hung = await FakeRegistry.start(t);
    hung.add("app", "1", makeImage({ config: { User: "other" } }));
    const asked = new Promise<void>((resolve) => {
      hung.intercept = (request, response) => {
        const answered = answer(request, response);
        if (answered) resolve();
        return answered;
      };
    });
    const leaving = new AbortController();
    const waiting = t.throwsAsync(node.images.pull(`${hung.address}/app:1`, undefined, leaving.signal));
    await asked;
    await pull("app:1");
    leaving.abort();
    t.like(await waiting, { kind: "cancelled" });
  });
}

test("a removed image leaves nothing on the disk, in the records or in the figures", async (t) => {
  const { registry, node, pull } = await start(t);
  await registry.push("one", "1", makeImage({ layers: [{ shared: "s" }, { one: "1" }] }));
  await registry.push("two", "1", makeImage({ layers: [{ shared: "s" }, { two: "2" }] }));
  const [one, two] = await Promise.all([pull("one:1"), pull("two:1")]);
  t.is((await node.remains()).filter((name) => name.startsWith("snapshots/")).length, 3);
  await node.images.remove(one.id);
  t.is(await readFile(inLayer(node, two, "two"), "utf8"), "2");
  await node.images.remove(two.id);
  t.deepEqual([node.images.list(), await node.remains()], [[], []]);
  t.is((await node.images.fileSystemUsage()).usedBytes, 0n);
});

for (const form of ["oci-archive", "docker-archive"]) {
  test(`an ${form} that skopeo wrote is the image that was pulled`, async (t) => {
    const { registry, node, pull } = await start(t);
    const image = makeImage({ layers: [{ "base.txt": "base" }, { "hello.txt": "hello" }] });
    await registry.push("app", "1", image);
    const tar = join(node.root, "uploads", "archive.tar");
    await mkdir(join(node.root, "uploads"));
    await run("skopeo", [
      "--insecure-policy",
      "copy",
      "--src-tls-verify=false",
      `docker://${registry.address}/app:1`,
      `${form}:${tar}:a.example/app:1`,
    ]);
    const [loaded] = await node.images.loadArchive(tar, never);
    t.deepEqual(loaded?.references, ["a.example/app:1"]);
    t.is(await readFile(inLayer(node, loaded ?? t.fail(), "hello.txt"), "utf8"), "hello");
    t.deepEqual(
      (await pull("app:1")).layers.map(({ chainId }) => chainId),
      loaded?.layers.map(({ chainId }) => chainId),
    );
    t.deepEqual(
      (await node.remains()).filter((name) => /archives|ingest/.test(name)),
      [],
    );
  });
}

test("an image that umoci made is loaded", async (t) => {
  const { node } = await start(t);
  const [layout, bundle, tar] = [join(node.root, "layout"), join(node.root, "bundle"), join(node.root, "umoci.tar")];
  const umoci = (...args: string[]) => run("umoci", args);
  await umoci("init", "--layout", layout);
  await umoci("new", "--image", `${layout}:latest`);
  await umoci("unpack", "--image", `${layout}:latest`, bundle);
  await writeFile(join(bundle, "rootfs", "made.txt"), "made");
  await umoci("repack", "--image", `${layout}:latest`, bundle);
  await run("tar", ["-C", layout, "-cf", tar, "."]);
  const [loaded] = await node.images.loadArchive(tar, never);
  t.is(await readFile(inLayer(node, loaded ?? t.fail(), "made.txt"), "utf8"), "made");
});
