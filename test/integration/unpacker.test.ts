// The process that reads a layer: what it makes, though it is shut in, and what is said when it is stopped.
// That it is shut in is tried from inside, by native/helper/tests/cage.rs.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmod,
  chown,
  link,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { promisify } from "node:util";
import { gzipSync, zstdCompressSync } from "node:zlib";
import test, { type ExecutionContext } from "ava";
import { Compression, type UnpackLayer } from "../../src/generated/berth/native/helper.ts";
import type { HelperClient } from "../../src/native-client/helper.ts";
import { childrenOf } from "../lib/children.ts";
import { temporaryFolder } from "../lib/image-service.ts";
import { sha256 } from "../lib/oci-image.ts";
import { startHelper } from "../lib/real-helper.ts";
import { makeTar, type TarEntry } from "../lib/tar.ts";

const run = promisify(execFile);

async function start(t: ExecutionContext) {
  const root = await temporaryFolder(t);
  const helper = await startHelper(t, root);
  const target = join(root, "layer");
  const unpackBlob = (blobPath: string, compression: Compression = Compression.COMPRESSION_NONE, bounds: Partial<UnpackLayer> = {}) =>
    helper.unpackLayer({
      blobPath,
      targetDir: target,
      compression,
      maxBytes: 0n,
      maxEntries: 0n,
      maxRatio: 0,
      plainArchive: false,
      sync: true,
      ...bounds,
    });
  const unpack = async (tar: Buffer, compression?: Compression, bounds?: Partial<UnpackLayer>) => {
    await writeFile(join(root, "blob"), tar);
    return unpackBlob(join(root, "blob"), compression, bounds);
  };
  return { root, helper, target, unpack, unpackBlob };
}

/** The extended attributes of a file or folder, as GNU tar reads them. */
async function attributes(path: string): Promise<string[]> {
  const args = ["--xattrs", "--xattrs-include=*", "--no-recursion", "--format=pax", "-cf", "-", "-C", path, "."];
  const { stdout } = await run("tar", args, { encoding: "latin1" });
  return [...stdout.matchAll(/SCHILY\.xattr\.([^\n]+)\n/g)].map(([, line]) => line ?? "").sort();
}

const folder = (name: string): TarEntry => ({ name, isFolder: true });
const file = (name: string): TarEntry => ({ name, content: "upper" });

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

/** All there is to know of a tree, a line each. @param nanoseconds whether times are told so finely */
async function describe(root: string, nanoseconds: boolean): Promise<string[]> {
  const [lines, attributes]: [string[], string[]] = [[], []];
  const firstOfInode = new Map<bigint, string>();
  for (const name of ["", ...(await readdir(root, { recursive: true, encoding: "latin1" })).sort()]) {
    const path = Buffer.from(join(root, name), "latin1");
    const { mode, uid, gid, mtimeNs, size, rdev, ino, nlink, blocks } = await lstat(path, { bigint: true });
    const line: (string | bigint)[] = [name, mode.toString(8), uid, gid, nanoseconds ? mtimeNs : mtimeNs / 1_000_000_000n, rdev];
    const kind = mode & 0o170000n;
    if (kind === 0o100000n)
      line.push(
        size,
        createHash("sha256")
          .update(await readFile(path))
          .digest("hex"),
        String(blocks * 512n < size),
      );
    if (kind === 0o120000n) line.push((await readlink(path, "buffer")).toString("latin1"));
    if (kind !== 0o40000n && nlink > 1n) line.push(firstOfInode.get(ino) ?? "first");
    firstOfInode.set(ino, firstOfInode.get(ino) ?? name);
    lines.push(line.join(" "));
  }
  const args = ["--xattrs", "--xattrs-include=*", "--sort=name", "--format=pax", "-cf", "-", "-C", root, "."];
  const { stdout } = await run("tar", args, { encoding: "latin1", maxBuffer: 2 ** 30 });
  // Values may have any byte, so the length says where one ends.
  for (const { index, 1: digits, 2: key } of stdout.matchAll(/(\d+) SCHILY\.xattr\.([\w.]+)=/g))
    attributes.push(`${key}: ${Buffer.from(stdout.slice(index, index + Number(digits)), "latin1").toString("hex")}`);
  return [...lines, ...attributes.sort()];
}

// The bits of CAP_DAC_OVERRIDE and CAP_FOWNER are a byte 10, which is also the end of a line.
const CAPABILITIES = `\u0001\0\0\u0002\n${"\0".repeat(15)}`;
const WITH_ATTRIBUTES: readonly TarEntry[] = [
  { name: "ping", content: "x", attributes: { "security.capability": CAPABILITIES } },
  { name: "notes", isFolder: true, attributes: { "user.note": "one\ntwo" } },
];

/** A tree with all that makes archives long or odd. */
async function oddTree(root: string): Promise<void> {
  const at = (name: string): string => join(root, name);
  const long = "long/".repeat(30) + "x".repeat(150);
  await mkdir(dirname(at(long)), { recursive: true });
  await writeFile(at(long), "long");
  await symlink(`${"up/".repeat(60)}target`, at("long-link"));
  await link(at(long), at("same"));
  await symlink("nowhere", at("dangling"));
  await link(at("dangling"), at("dangling-same"));
  await writeFile(Buffer.from(at("latin-\xe9-\n"), "latin1"), "not UTF-8");
  await writeFile(at("empty"), "");
  await writeFile(at("owned"), "x");
  await chown(at("owned"), 3_000_000_000, 2_200_000);
  await writeFile(at("run"), "#!");
  await chmod(at("run"), 0o6755);
  await mkdir(at("tmp"));
  await chmod(at("tmp"), 0o1777);
  await utimes(at("tmp"), 12, 1_234_567_890.123_456_7);
  await writeFile(at("attributes.tar"), makeTar(WITH_ATTRIBUTES));
  await run("tar", ["--xattrs", "--xattrs-include=*", "-C", root, "-xf", at("attributes.tar")]);
  await rm(at("attributes.tar"));
  await run("mknod", [at("null"), "c", "1", "3"]);
  await run("mknod", [at("disk"), "b", "259", "70000"]);
  await run("mkfifo", [at("fifo")]);
  // Its map is longer than a header, and than the first block of a map.
  const sparse = await open(at("sparse"), "w");
  for (let piece = 0; piece < 200; piece++) await sparse.write(`piece ${piece}`, piece * 40_960);
  await sparse.truncate(100 * 2 ** 20);
  await sparse.close();
  await run("truncate", ["-s", "1M", at("hole")]);
}

for (const [what, args, nanoseconds] of [
  ["GNU", ["--format=gnu"], false],
  ["PAX", ["--format=posix"], true],
  ["PAX, holes as in version 0.0", ["--format=posix", "--sparse-version=0.0"], true],
  ["PAX, holes as in version 0.1", ["--format=posix", "--sparse-version=0.1"], true],
] as const) {
  test(`a tree that GNU tar packed in the format ${what} is the same again`, async (t) => {
    const { root, target, unpackBlob } = await start(t);
    const source = join(root, "source");
    await mkdir(source);
    await oddTree(source);
    const xattrs = nanoseconds ? ["--xattrs", "--xattrs-include=*"] : [];
    await run("tar", ["--sparse", ...args, ...xattrs, "-C", source, "-cf", join(root, "blob"), "."]);
    await unpackBlob(join(root, "blob"));
    const [made, given] = [await describe(target, nanoseconds), await describe(source, nanoseconds)];
    // The other formats can't hold attributes.
    t.deepEqual(made, nanoseconds ? given : given.filter((line) => !/^(user|security)\./.test(line)));
  });
}

test("later entries of a name take the place of earlier ones, whatever they are", async (t) => {
  const { target, unpack } = await start(t);
  await unpack(
    makeTar([
      file("a"),
      { name: "a/", isFolder: true },
      file("a/in"),
      folder("b/folder"),
      file("b/in"),
      file("b"),
      { name: "c", link: "a" },
      file("c"),
      file("d"),
      { name: "d", link: "a" },
      { name: "e", isFifo: true },
      { name: "e", hardLink: "c" },
      // What was just entered by this name is another folder now.
      { name: "f", link: "a" },
      file("f/one"),
      { name: "f", isFolder: true },
      file("f/two"),
    ]),
  );
  // It goes through links.
  const found = (await readdir(target, { recursive: true })).filter((name) => !name.startsWith("d/"));
  t.deepEqual(found.sort(), ["a", "a/in", "a/one", "b", "c", "d", "e", "f", "f/two"]);
  t.true((await lstat(join(target, "b"))).isFile());
  t.true((await lstat(join(target, "c"))).isFile());
  t.is(await readlink(join(target, "d")), "a");
  t.is((await lstat(join(target, "c"))).ino, (await lstat(join(target, "e"))).ino);
});

test("a layer may be empty", async (t) => {
  const { target, unpack } = await start(t);
  t.like(await unpack(makeTar([])), { sizeBytes: 0n, inodes: 0n, diffId: sha256(makeTar([])) });
  t.deepEqual(await readdir(target), []);
});

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

for (const [what, bounds, tar] of [
  ["the number of entries is over the bound of 3", { maxEntries: 3n }, makeTar(Array<TarEntry>(4).fill({ name: "same/", isFolder: true }))],
  ["the unpacked size in bytes is over the bound of 4096", { maxBytes: 4096n }, makeTar([{ name: "a", content: Buffer.alloc(5000) }])],
  ["the unpacked size in bytes is over the bound of 68719476736", {}, hugeHole(2n ** 62n)],
  ["the ratio of unpacked to packed size is over the bound of 1000", {}, Buffer.alloc(80 * 2 ** 20)],
  ["an extension of an entry is too large", {}, makeTar([{ name: "pax", kind: "x", content: Buffer.alloc(2 ** 20 + 1) }, file("a")])],
  ["an extension of an entry is too large", {}, makeTar([{ name: "long", kind: "L", content: Buffer.alloc(2 ** 17) }, file("a")])],
  ["an extension is about no entry", {}, makeTar([{ name: "pax", kind: "x", content: "12 path=a/b\n" }])],
  ["the checksum of a header is wrong", {}, makeTar([file("a")]).fill("b", 0, 1)],
  ["unexpected end of file", {}, makeTar([{ name: "a", content: Buffer.alloc(5000) }]).subarray(0, 2000)],
] satisfies [string, Partial<UnpackLayer>, Buffer][]) {
  test(`a layer is refused, and nothing stays, when ${what} (${tar.length} bytes)`, async (t) => {
    const { target, unpack } = await start(t);
    const failure = await t.throwsAsync(unpack(gzipSync(tar), Compression.COMPRESSION_GZIP, bounds));
    t.true(failure.message.includes(`read archive: ${what}`), failure.message);
    await t.throwsAsync(lstat(target), { code: "ENOENT" });
  });
}

/** An entry with a name of any length. @source GNU tar manual, "Basic Tar Format": LONGLINK */
const named = (name: string): TarEntry[] => [{ name: "././@LongLink", kind: "L", content: `${name}\0` }, file("cut")];

for (const [what, entries] of [
  ["is nested over 256 folders deep", named(`${"d/".repeat(256)}x`)],
  ["has a name of over 4096 bytes", named("x".repeat(4097))],
  ["has an extended attribute that is too large", [{ name: "a", attributes: { "user.note": "x".repeat(64 * 1024 + 1) } }]],
  ["has an extended attribute that is too large", [{ name: "a", attributes: { [`user.${"x".repeat(251)}`]: "1" } }]],
] satisfies [string, TarEntry[]][]) {
  test(`a layer is refused, and nothing stays, when an entry ${what} (${makeTar(entries).length} bytes)`, async (t) => {
    const { target, unpack } = await start(t);
    const failure = await t.throwsAsync(unpack(gzipSync(makeTar(entries)), Compression.COMPRESSION_GZIP));
    t.true(failure.message.includes(`" ${what}`), failure.message);
    await t.throwsAsync(lstat(target), { code: "ENOENT" });
  });
}

test("an entry may be 256 folders deep", async (t) => {
  const { unpack } = await start(t);
  await t.notThrowsAsync(unpack(gzipSync(makeTar(named(`${"d/".repeat(255)}x`))), Compression.COMPRESSION_GZIP));
});

/** A file of GNU's kind for holes that is nothing but a hole. @source GNU tar manual, "Basic Tar Format": oldgnu_header */
function hugeHole(sizeBytes: bigint): Buffer {
  const tar = makeTar([{ name: "hole", kind: "S" }]);
  tar.write("ustar  \0", 257);
  // A number that is too large for octal digits begins with a bit.
  tar.writeUInt8(0x80, 483);
  tar.writeBigUInt64BE(sizeBytes, 483 + 4);
  tar.write(" ".repeat(8), 148);
  const sum = tar.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  tar.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return tar;
}

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

/** Before that it looks for its parent, and says itself when that has ended. */
const isShutIn = async (pid: number): Promise<boolean> =>
  /^Seccomp:\t2$/m.test(await readFile(`/proc/${pid}/status`, "utf8").catch(() => ""));

/** The process that the helper started, once it has a child that reads. */
async function unpackerOf(helper: HelperClient): Promise<number> {
  const { pid } = await helper.hello();
  for (const deadline = performance.now() + 10_000; performance.now() < deadline; ) {
    const [unpacker] = await childrenOf(pid);
    const [reader] = unpacker === undefined ? [] : await childrenOf(unpacker);
    if (unpacker !== undefined && reader !== undefined && (await isShutIn(reader))) return unpacker;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error("the helper started no unpacker");
}
