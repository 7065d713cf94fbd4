// The process that reads a layer: what it makes, though it is shut in, and what is said when it is stopped.
// That it is shut in is tried from inside, by native/helper/tests/cage.rs.
import { execFile } from "node:child_process";
import { lstat, mkdir, open, readdir, readFile, readlink, stat, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { promisify } from "node:util";
import { gzipSync, zstdCompressSync } from "node:zlib";
import test, { type ExecutionContext } from "ava";
import { Compression } from "../../src/generated/berth/native/helper.ts";
import type { HelperClient } from "../../src/native-client/helper.ts";
import { temporaryFolder } from "../lib/image-service.ts";
import { startHelper } from "../lib/real-helper.ts";
import { makeTar, type TarEntry } from "../lib/tar.ts";

const run = promisify(execFile);

async function start(t: ExecutionContext) {
  const root = await temporaryFolder(t);
  const helper = await startHelper(t, root);
  const target = join(root, "layer");
  const unpackBlob = (blobPath: string, compression: Compression = Compression.COMPRESSION_NONE) =>
    helper.unpackLayer({
      blobPath,
      targetDir: target,
      compression,
      maxBytes: 0n,
      maxEntries: 0n,
      maxRatio: 0,
      plainArchive: false,
      sync: true,
    });
  const unpack = async (tar: Buffer, compression?: Compression) => {
    await writeFile(join(root, "blob"), tar);
    return unpackBlob(join(root, "blob"), compression);
  };
  return { root, helper, target, unpack, unpackBlob };
}

/** The extended attributes of a file or folder, as GNU tar reads them. */
async function attributes(path: string): Promise<string[]> {
  const args = ["--xattrs", "--xattrs-include=*", "--no-recursion", "--format=pax", "-cf", "-", "-C", path, "."];
  const { stdout } = await run("tar", args, { encoding: "latin1" });
  return [...stdout.matchAll(/SCHILY\.xattr\.([^\n]+)\n/g)].map(([, line]) => line ?? "").sort();
}

const EVERYTHING: readonly TarEntry[] = [
  { name: "folder/", isFolder: true, mode: 0o2750, attributes: { "user.note": "kept", "trusted.overlay.redirect": "/etc" } },
  { name: "folder/file", content: "content", mode: 0o4755 },
  { name: "folder/same", hardLink: "folder/file" },
  { name: "folder/link", link: "file" },
  { name: "null", device: [1, 3], mode: 0o666 },
  { name: "fifo", isFifo: true },
  { name: "sparse", content: Buffer.concat([Buffer.from("a"), Buffer.alloc(1_000_000), Buffer.from("z")]) },
  { name: "opaque/", isFolder: true },
  { name: "opaque/.wh..wh..opq" },
  { name: "opaque/new", content: "new" },
  { name: "behind", link: "folder" },
  { name: "behind/.wh..wh..opq" },
  { name: ".wh.gone" },
];

for (const [name, compression, pack] of [
  ["a plain tar", Compression.COMPRESSION_NONE, (tar: Buffer) => tar],
  ["gzip", Compression.COMPRESSION_GZIP, gzipSync],
  ["zstd", Compression.COMPRESSION_ZSTD, zstdCompressSync],
] as const) {
  test(`all that a layer may hold is made from ${name}`, async (t) => {
    const { target, unpack } = await start(t);
    await unpack(pack(makeTar(EVERYTHING)), compression);
    const at = (path: string): string => join(target, path);
    t.is((await stat(at("folder"))).mode & 0o7777, 0o2750);
    t.is((await stat(at("folder/file"))).mode & 0o7777, 0o4755);
    t.is((await stat(at("folder/file"))).ino, (await stat(at("folder/same"))).ino);
    t.is(await readlink(at("folder/link")), "file");
    const device = await lstat(at("null"));
    t.true(device.isCharacterDevice());
    t.deepEqual([device.rdev, device.mode & 0o7777], [0x103, 0o666]);
    t.true((await lstat(at("fifo"))).isFIFO());
    const sparse = await stat(at("sparse"));
    t.is(sparse.size, 1_000_002);
    t.true(sparse.blocks * 512 < 100_000);
    const gone = await lstat(at("gone"));
    t.true(gone.isCharacterDevice());
    t.is(gone.rdev, 0);
    t.deepEqual(await attributes(at("opaque")), ["trusted.overlay.opaque=y"]);
    t.deepEqual(await attributes(at("folder")), ["trusted.overlay.opaque=y", "user.note=kept"]);
    t.deepEqual(await attributes(target), []);
  });
}

/** What a container sees when the layer lies over a lower one with these files. */
async function merged(t: ExecutionContext, lowerFiles: readonly string[], entries: readonly TarEntry[]): Promise<string[]> {
  const { root, target, unpack } = await start(t);
  await unpack(makeTar(entries));
  const [lower, over] = [join(root, "lower"), join(root, "merged")];
  for (const file of lowerFiles) {
    await mkdir(dirname(join(lower, file)), { recursive: true });
    await writeFile(join(lower, file), "lower");
  }
  await mkdir(over);
  await run("mount", ["-t", "overlay", "overlay", "-o", `lowerdir=${target}:${lower}`, over]);
  try {
    const found = await readdir(over, { recursive: true, withFileTypes: true });
    return found
      .filter((entry) => !entry.isDirectory())
      .map((entry) => relative(over, join(entry.parentPath, entry.name)))
      .sort();
  } finally {
    await run("umount", [over]);
  }
}

const folder = (name: string): TarEntry => ({ name, isFolder: true });
const file = (name: string): TarEntry => ({ name, content: "upper" });

for (const [what, entries, seen] of [
  ["an opaque folder", [folder("d"), { name: "d/.wh..wh..opq" }, file("d/new")], ["d/new", "x"]],
  ["a folder that is called opaque at its end", [folder("d"), file("d/new"), { name: "d/.wh..wh..opq" }], ["d/new", "x"]],
  ["a whiteout", [{ name: ".wh.x" }], ["d/deep/old", "d/old"]],
  ["a whiteout of a folder", [{ name: ".wh.d" }], ["x"]],
  ["a whiteout before a file of its name", [{ name: ".wh.x" }, file("x")], ["d/deep/old", "d/old", "x"]],
  ["a whiteout after a file of its name", [file("x"), { name: ".wh.x" }], ["d/deep/old", "d/old", "x"]],
  ["a whiteout before a folder of its name", [{ name: ".wh.d" }, folder("d"), file("d/new")], ["d/new", "x"]],
  ["a whiteout after a folder of its name", [folder("d"), file("d/new"), { name: ".wh.d" }], ["d/new", "x"]],
  ["a whiteout before files below its name", [{ name: ".wh.d" }, file("d/deep/new")], ["d/deep/new", "x"]],
  ["a whiteout after files below its name", [file("d/deep/new"), { name: ".wh.d" }], ["d/deep/new", "x"]],
  ["a whiteout below a folder", [file("d/new"), { name: "d/.wh.deep" }], ["d/new", "d/old", "x"]],
  ["a folder in place of a file of the same layer", [file("d"), folder("d"), file("d/new")], ["d/new", "x"]],
] as const) {
  test(`${what} hides what layers below have there, and nothing of its own layer`, async (t) => {
    t.deepEqual(await merged(t, ["d/old", "d/deep/old", "x"], entries), [...seen]);
  });
}

test("a folder is not opaque when a link or a file took its place, and the layer is whole", async (t) => {
  const { target, unpack } = await start(t);
  await unpack(
    makeTar([
      { name: "kept/file", content: "x" },
      { name: "first/.wh..wh..opq" },
      { name: "first", link: "kept" },
      { name: "second/.wh..wh..opq" },
      { name: "second", content: "file" },
    ]),
  );
  t.deepEqual(await attributes(join(target, "kept")), []);
  t.is(await readFile(join(target, "second"), "utf8"), "file");
});

test("a layer may be opaque as a whole", async (t) => {
  const { target, unpack } = await start(t);
  await unpack(makeTar([{ name: ".wh..wh..opq" }]));
  t.deepEqual(await attributes(target), ["trusted.overlay.opaque=y"]);
});

test("more opaque folders than anybody needs are refused, and nothing stays", async (t) => {
  const { target, unpack } = await start(t);
  const tar = makeTar([{ name: "a".repeat(80), isFolder: true }, { name: `${"a".repeat(80)}/.wh..wh..opq` }]);
  const [folder, mark] = [tar.subarray(0, 512), tar.subarray(512, 1024)];
  const failure = await t.throwsAsync(unpack(Buffer.concat([folder, ...Array<Buffer>(70_000).fill(mark), Buffer.alloc(1024)])));
  t.like(failure, { kind: "resource-exhausted" });
  t.regex(failure.message, /opaque folders/);
  await t.throwsAsync(lstat(target), { code: "ENOENT" });
});

for (const [signal, words] of [
  ["SIGSYS", "the unpacker was stopped by its system call filter (signal 31, SIGSYS)"],
  ["SIGKILL", "the unpacker ended without an answer (signal: 9 (SIGKILL))"],
] as const) {
  test(`an unpacker that ${signal} ended is told of, and nothing stays`, async (t) => {
    const { root, helper, target, unpackBlob } = await start(t);
    const blob = join(root, "endless");
    await run("mkfifo", [blob]);
    const unpacking = t.throwsAsync(unpackBlob(blob));
    const writer = await open(blob, "w");
    t.teardown(() => writer.close());
    process.kill(await unpackerOf(helper), signal);
    const failure = await unpacking;
    t.like(failure, { kind: "internal" });
    t.true(failure.message.endsWith(`unpack ${blob}: ${words}`), failure.message);
    await t.throwsAsync(lstat(target), { code: "ENOENT" });
  });
}

/** The process that the helper started, once it has a child: that is the one that reads. */
async function unpackerOf(helper: HelperClient): Promise<number> {
  const { pid } = await helper.hello();
  const childrenOf = async (process: number): Promise<number[]> => {
    const found: number[] = [];
    for (const task of await readdir(`/proc/${process}/task`).catch(() => [])) {
      const text = await readFile(`/proc/${process}/task/${task}/children`, "utf8").catch(() => "");
      found.push(...text.split(" ").filter(Boolean).map(Number));
    }
    return found;
  };
  for (const deadline = performance.now() + 10_000; performance.now() < deadline; ) {
    const [unpacker] = await childrenOf(pid);
    if (unpacker !== undefined && (await childrenOf(unpacker)).length > 0) return unpacker;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error("the helper started no unpacker");
}
