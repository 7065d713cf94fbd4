import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { ContentStore } from "../../../../src/image/content/content-store.ts";
import { Store } from "../../../../src/store/store.ts";
import { temporaryFolder } from "../../../lib/image-service.ts";
import { blobOf, sha256 } from "../../../lib/oci-image.ts";

async function open(t: ExecutionContext, root?: string): Promise<{ root: string; store: Store; content: ContentStore }> {
  const folder = root ?? (await temporaryFolder(t));
  const store = await Store.open(folder);
  t.teardown(() => store.close().catch(() => {}));
  return { root: folder, store, content: await ContentStore.open(folder, store) };
}

const source =
  (...chunks: string[]) =>
  async () =>
    (async function* () {
      for (const chunk of chunks) yield Buffer.from(chunk);
    })();

const names = async (root: string): Promise<string[]> => [
  ...(await readdir(join(root, "content/blobs/sha256"))),
  ...(await readdir(join(root, "content/ingest"))),
];

test("a blob that came in parts is there under its digest", async (t) => {
  const { root, content } = await open(t);
  const blob = blobOf("onetwo");
  await content.ensure(blob.digest, 6, source("one", "two"));
  t.is((await content.read(blob.digest, 100)).toString(), "onetwo");
  t.deepEqual(await names(root), [blob.digest.slice(7)]);
  t.deepEqual([...content.blobs()], [{ id: blob.digest, sizeBytes: 6n }]);
});

for (const [what, sizeBytes, chunks] of [
  ["too short", 7, ["onetwo"]],
  ["too long", 5, ["onetwo"]],
  ["of another digest", 6, ["onetwx"]],
  ["empty", 6, []],
] as const) {
  test(`what is ${what} is refused, and nothing of it stays`, async (t) => {
    const { root, content } = await open(t);
    t.like(await t.throwsAsync(content.ensure(blobOf("onetwo").digest, sizeBytes, source(...chunks))), { kind: "invalid-argument" });
    t.deepEqual(await names(root), []);
    t.deepEqual([...content.blobs()], []);
  });
}

test("who waits for the bytes has them once they are right, before they count as kept, and a failure of his keeps nothing", async (t) => {
  const { root, content } = await open(t);
  const blob = blobOf("onetwo");
  const seen: string[] = [];
  const read = async (path: string): Promise<void> => {
    seen.push(`${await readFile(path, "utf8")} ${[...content.blobs()].length}`);
  };
  const failing = async (path: string): Promise<never> => {
    await read(path);
    throw new Error("no use for it");
  };
  await t.throwsAsync(content.ensure(blob.digest, 6, source("onetwx"), read));
  t.deepEqual(seen, []);
  await t.throwsAsync(content.ensure(blob.digest, 6, source("onetwo"), failing), { message: "no use for it" });
  t.deepEqual(await names(root), []);
  await content.ensure(blob.digest, 6, source("onetwo"), read);
  await content.ensure(blob.digest, 6, source("onetwo"), read);
  t.deepEqual(seen, ["onetwo 0", "onetwo 0"]);
});

test("a blob of many parts is whole", async (t) => {
  const { content } = await open(t);
  const parts = Array.from({ length: 200 }, (_, number) => String(number % 10).repeat(20_000));
  const blob = blobOf(parts.join(""));
  await content.ensure(blob.digest, 4_000_000, source(...parts));
  t.is(sha256(await content.read(blob.digest, 4_000_000)), blob.digest);
});

test("a source that fails halfway leaves nothing, and its failure comes through", async (t) => {
  const { root, content } = await open(t);
  const failing = async () =>
    (async function* () {
      yield Buffer.from("one");
      throw new Error("the line is dead");
    })();
  t.is((await t.throwsAsync(content.ensure(blobOf("onetwo").digest, 6, failing)))?.message, "the line is dead");
  t.deepEqual(await names(root), []);
});

test("two who want the same blob bring it once", async (t) => {
  const { content } = await open(t);
  const blob = blobOf("onetwo");
  let opened = 0;
  const counted = async () => {
    opened++;
    return await source("onetwo")();
  };
  await Promise.all([content.ensure(blob.digest, 6, counted), content.ensure(blob.digest, 6, counted)]);
  t.is(opened, 1);
});

test("what was coming in when berthd ended is gone after a new start, and what was there is there", async (t) => {
  const { root, store, content } = await open(t);
  const blob = blobOf("onetwo");
  await content.writeBytes(blob.digest, blob.bytes);
  await writeFile(join(root, "content/ingest/half"), "half");
  await store.close();
  const again = await open(t, root);
  t.deepEqual(await names(root), [blob.digest.slice(7)]);
  await again.content.ensure(blob.digest, 6, () => Promise.reject(new Error("it was there")));
});

test("a blob whose file was taken away or cut is brought again", async (t) => {
  const { content } = await open(t);
  const blob = blobOf("onetwo");
  await content.writeBytes(blob.digest, blob.bytes);
  for (const harm of [() => rm(content.path(blob.digest)), () => writeFile(content.path(blob.digest), "one")]) {
    await harm();
    await content.writeBytes(blob.digest, blob.bytes);
    t.is((await content.read(blob.digest, 100)).toString(), "onetwo");
  }
});

test("a removed blob leaves nothing, unless somebody needs it after all", async (t) => {
  const { root, content } = await open(t);
  const blob = blobOf("onetwo");
  await content.writeBytes(blob.digest, blob.bytes);
  await content.remove(blob.digest, () => true);
  t.is((await names(root)).length, 1);
  await content.remove(blob.digest, () => false);
  t.deepEqual(await names(root), []);
  t.deepEqual([...content.blobs()], []);
});

test("a file is not read when it is larger than it may be", async (t) => {
  const { content } = await open(t);
  const blob = blobOf("onetwo");
  await content.writeBytes(blob.digest, blob.bytes);
  t.like(await t.throwsAsync(content.read(blob.digest, 5)), { kind: "resource-exhausted" });
});
