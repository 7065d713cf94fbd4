import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import test, { type ExecutionContext } from "ava";
import { AgentError } from "../../../../src/base/errors.ts";
import type { ImageRecord } from "../../../../src/image/image-service.ts";
import { FakeHelper } from "../../../lib/fake-helper.ts";
import { ImageNode, never } from "../../../lib/image-service.ts";
import { layoutOf, makeImage, type TestImage } from "../../../lib/oci-image.ts";
import { makeTar, type TarEntry } from "../../../lib/tar.ts";

const CONTAINERD_REF = "io.containerd.image.name";
const OCI_REF = "org.opencontainers.image.ref.name";

async function start(t: ExecutionContext) {
  const node = await ImageNode.start(t, new FakeHelper());
  const load = async (
    entries: readonly TarEntry[],
    pack: (tar: Buffer) => Buffer = (tar) => tar,
    signal = never,
  ): Promise<ImageRecord[]> => {
    await mkdir(join(node.root, "uploads"), { recursive: true });
    const path = join(node.root, "uploads/archive.tar");
    await writeFile(path, pack(makeTar(entries)));
    return await node.images.loadArchive(path, signal);
  };
  return { node, load };
}

function dockerArchive(image: TestImage, tags: unknown, rest: readonly TarEntry[] = []): TarEntry[] {
  const layers = image.layers.map((layer, index) => ({ name: `${index}/layer.tar`, content: gunzipSync(layer.bytes) }));
  const manifest = [{ Config: `${image.id.slice(7)}.json`, RepoTags: tags, Layers: layers.map(({ name }) => name) }];
  return [
    { name: "manifest.json", content: JSON.stringify(manifest) },
    { name: `${image.id.slice(7)}.json`, content: image.config.bytes },
    ...layers,
    ...rest,
  ];
}

test("an OCI layout is loaded under the name that it has", async (t) => {
  const { node, load } = await start(t);
  const image = makeImage({ layers: [{ a: "1" }, { b: "2" }] });
  const [record] = await load(layoutOf([{ image, annotations: { [CONTAINERD_REF]: "docker.io/library/app:1", [OCI_REF]: "1" } }]));
  t.like(record, { id: image.id, references: ["docker.io/library/app:1"], repoDigests: [], manifestDigest: image.manifest.digest });
  t.is(node.images.find("app:1")?.id, image.id);
});

test("a layout whose name is only a tag is loaded without a name", async (t) => {
  const { node, load } = await start(t);
  const image = makeImage();
  const [record] = await load(layoutOf([{ image, annotations: { [OCI_REF]: "latest" } }]));
  t.deepEqual(record?.references, []);
  t.is(node.images.find(image.id)?.id, image.id);
});

test("all images of a layout are loaded, but none of another machine beside one of this", async (t) => {
  const { load } = await start(t);
  const [one, two] = [makeImage(), makeImage({ config: { User: "two" } })];
  const entries = layoutOf([{ image: one }, { image: two }]);
  t.deepEqual(
    (await load(entries)).map(({ id }) => id),
    [one.id, two.id],
  );
  const index = {
    schemaVersion: 2,
    manifests: [one, two].map(({ manifest }, i) => ({
      mediaType: "",
      digest: manifest.digest,
      size: 1,
      platform: i === 0 ? undefined : { os: "unknown", architecture: "unknown" },
    })),
  };
  const both = entries.map((entry) => (entry.name === "index.json" ? { ...entry, content: Buffer.from(JSON.stringify(index)) } : entry));
  t.deepEqual(
    (await load(both)).map(({ id }) => id),
    [one.id],
  );
});

test("an archive of docker save is loaded under its tags", async (t) => {
  const { node, load } = await start(t);
  const image = makeImage({ layers: [{ a: "1" }, { b: "2" }] });
  const [record] = await load(dockerArchive(image, ["app:1", "a.example/app:2"]));
  t.like(record, { id: image.id, references: ["docker.io/library/app:1", "a.example/app:2"] });
  t.is(node.images.lowerDirs(record ?? t.fail()).lowerDirs.length, 2);
});

test("an archive without tags is loaded by its id", async (t) => {
  const { load } = await start(t);
  const image = makeImage();
  t.like((await load(dockerArchive(image, null)))[0], { id: image.id, references: [] });
});

test("an archive that is packed as a whole is loaded", async (t) => {
  const { load } = await start(t);
  const image = makeImage();
  t.is((await load(dockerArchive(image, []), (tar) => gzipSync(tar)))[0]?.id, image.id);
});

test("equal layers that an archive links to each other are one", async (t) => {
  const { load } = await start(t);
  const image = makeImage({ layers: [{ a: "1" }, { a: "1" }] });
  const entries = dockerArchive(image, []).map((entry) =>
    entry.name === "1/layer.tar" ? { name: entry.name, link: "../0/layer.tar" } : entry,
  );
  t.is((await load(entries))[0]?.layers.length, 2);
});

test("nothing but the image stays of an archive", async (t) => {
  const { node, load } = await start(t);
  await load(layoutOf([{ image: makeImage() }]));
  t.deepEqual(
    (await node.remains()).filter((name) => !/^(content\/blobs|snapshots)\//.test(name)),
    [],
  );
  for (const { id } of node.images.list()) await node.images.remove(id);
  t.deepEqual(await node.remains(), []);
});

test("who goes away before an archive is taken apart gets no image, and nothing of it stays", async (t) => {
  const { node, load } = await start(t);
  const gone = AbortSignal.abort(new AgentError("cancelled", "the caller has gone away"));
  t.like(await t.throwsAsync(load(layoutOf([{ image: makeImage() }]), undefined, gone)), { kind: "cancelled" });
  t.deepEqual([node.images.list(), await node.remains()], [[], []]);
});

const image = makeImage();
const layout = (replaced: string, content: string | Buffer): TarEntry[] =>
  layoutOf([{ image }]).map((entry) => (entry.name === replaced ? { name: replaced, content } : entry));
const blob = (digest: string): string => `blobs/sha256/${digest.slice(7)}`;

for (const [what, entries, says] of [
  ["that is none", [{ name: "readme", content: "hello" }], /neither index\.json nor manifest\.json/],
  ["whose index is no JSON", layout("index.json", "{"), /no JSON/],
  ["whose index names nothing", layout("index.json", '{"manifests":[]}'), /names no image/],
  ["whose index has a digest of another algorithm", layout("index.json", '{"manifests":[{"digest":"md5:1","size":1}]}'), /no digest/],
  ["whose manifest was changed", layout(blob(image.manifest.digest), image.config.bytes), /has the digest/],
  ["whose layer was changed", layout(blob(image.layers[0]?.digest ?? ""), "other"), /has the digest/],
  [
    "whose layer is missing",
    layoutOf([{ image }]).filter(({ name }) => name !== blob(image.layers[0]?.digest ?? "")),
    /is not in the archive/,
  ],
  [
    "with a config that leads out of it",
    [{ name: "manifest.json", content: '[{"Config":"../../../../../../etc/hostname","Layers":[]}]' }],
    /leads out of the archive/,
  ],
  [
    "with a link that leads out of it",
    dockerArchive(image, []).map((entry) => (entry.name === "0/layer.tar" ? { name: entry.name, link: "/etc/hostname" } : entry)),
    /leads out of the archive/,
  ],
  [
    "with a folder for a config",
    [
      { name: "manifest.json", content: '[{"Config":"folder","Layers":[]}]' },
      { name: "folder/x", content: "" },
    ],
    /is no file/,
  ],
  ["with a name that is none", dockerArchive(image, ["UPPER/case:1"]), /read image reference/],
  ["with an index that is larger than any", layout("index.json", Buffer.alloc(5 * 1024 * 1024, " ")), /over the bound/],
] as const) {
  test(`an archive ${what} is refused, and nothing of it stays`, async (t) => {
    const { node, load } = await start(t);
    t.regex((await t.throwsAsync(load(entries))).message, says);
    t.deepEqual(await node.remains(), []);
    t.deepEqual(node.images.list(), []);
  });
}
