import { mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { extract } from "../../../../src/cli/copy/extract.ts";
import { encodeHeader, END, padding, type TarEntry } from "../../../../src/cli/copy/tar-header.ts";

type Part = Partial<TarEntry> & Pick<TarEntry, "name" | "kind"> & { readonly content?: string };

/** As the node would write it, and as it never would. */
function tarOf(...parts: readonly Part[]): Buffer {
  const entries = parts.map(({ content = "", ...part }) => {
    const bytes = Buffer.from(content);
    const entry = { target: "", mode: 0o644, uid: 0, gid: 0, mtimeSeconds: 1, sizeBytes: bytes.length, ...part };
    return Buffer.concat([encodeHeader(entry), bytes, padding(bytes.length)]);
  });
  return Buffer.concat([...entries, END]);
}

async function* inChunks(bytes: Buffer, chunkBytes: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
}

/** A folder to extract to, with one beside it that nothing may reach. */
async function place(t: ExecutionContext) {
  const path = await mkdtemp(join(tmpdir(), "berth-extract-"));
  t.teardown(() => rm(path, { recursive: true }));
  const [folder, outside] = [join(path, "in"), join(path, "outside")];
  await mkdir(folder);
  await mkdir(outside);
  await writeFile(join(outside, "file"), "untouched");
  const into = (tar: Buffer, rename?: string) => extract(inChunks(tar, 700), { folder, rename, keepOwners: false });
  const isUntouched = async () => {
    t.deepEqual((await readdir(path)).sort(), ["in", "outside"]);
    t.deepEqual(await readdir(outside), ["file"]);
    t.is(await readFile(join(outside, "file"), "utf8"), "untouched");
  };
  return { folder, outside, into, isUntouched };
}

test("folders, files and links come out as they are, however the bytes are cut", async (t) => {
  const { folder, into } = await place(t);
  const long = "n".repeat(150);
  await into(
    tarOf(
      { kind: "folder", name: "a", mode: 0o750, mtimeSeconds: 1_000_000 },
      { kind: "file", name: `a/${long}`, content: "x".repeat(5000), mode: 0o4755, mtimeSeconds: 2_000_000 },
      { kind: "link", name: "a/l", target: long },
      { kind: "folder", name: "a/b" },
      { kind: "file", name: "a/b/empty" },
      { kind: "file", name: "z", content: "last" },
    ),
  );
  t.deepEqual((await readdir(folder, { recursive: true })).sort(), ["a", "a/b", "a/b/empty", "a/l", `a/${long}`, "z"]);
  const [top, file] = await Promise.all([stat(join(folder, "a")), stat(join(folder, "a", long))]);
  t.deepEqual([top.mode & 0o7777, top.mtimeMs, file.mode & 0o7777, file.mtimeMs], [0o750, 1e9, 0o755, 2e9]);
  t.is(await readFile(join(folder, "a/l"), "utf8"), "x".repeat(5000));
});

for (const [what, parts] of [
  ["leads up", [{ kind: "file", name: "../outside/file", content: "evil" }]],
  [
    "leads up from a folder",
    [
      { kind: "folder", name: "a" },
      { kind: "file", name: "a/../../outside/file", content: "evil" },
    ],
  ],
  ["is absolute", [{ kind: "file", name: "/tmp/evil", content: "evil" }]],
  [
    "goes through a link of the same tar",
    [
      { kind: "link", name: "a", target: "../outside" },
      { kind: "file", name: "a/file", content: "evil" },
    ],
  ],
  [
    "makes a folder of a link",
    [
      { kind: "link", name: "a", target: "../outside" },
      { kind: "folder", name: "a" },
      { kind: "file", name: "a/file" },
    ],
  ],
  ["comes before its folder", [{ kind: "file", name: "a/file", content: "evil" }]],
  [
    "has a folder that was left and became a link",
    [
      { kind: "folder", name: "a" },
      { kind: "file", name: "b" },
      { kind: "link", name: "a", target: "../outside" },
    ],
  ],
] as const satisfies readonly (readonly [string, readonly Part[]])[]) {
  test(`an entry that ${what} is refused, and nothing outside changes`, async (t) => {
    const { into, isUntouched } = await place(t);
    await t.throwsAsync(into(tarOf(...parts)));
    await isUntouched();
  });
}

test("links that are there are not followed: a file takes the link's place, a folder is refused", async (t) => {
  const { folder, outside, into, isUntouched } = await place(t);
  await symlink("../outside/file", join(folder, "file"));
  await symlink("../outside", join(folder, "dir"));
  await into(tarOf({ kind: "file", name: "file", content: "new" }));
  t.is(await readFile(join(folder, "file"), "utf8"), "new");
  await t.throwsAsync(into(tarOf({ kind: "folder", name: "dir" }, { kind: "file", name: "dir/file" })), { message: /no folder/ });
  t.is(await readlink(join(folder, "dir")), "../outside");
  await isUntouched();
  t.truthy(outside);
});

test("the name that was asked for is the name that is made, whatever the tar says", async (t) => {
  const { folder, into } = await place(t);
  await into(tarOf({ kind: "folder", name: ".ssh" }, { kind: "file", name: ".ssh/keys" }), "site");
  t.deepEqual((await readdir(folder, { recursive: true })).sort(), ["site", "site/keys"]);
});

test("a tar that is cut off or damaged is an error, wherever it is cut", async (t) => {
  const tar = tarOf({ kind: "folder", name: "a" }, { kind: "file", name: `a/${"n".repeat(200)}`, content: "x".repeat(1000) });
  for (const bytes of [100, 600, 1100, 2000, 2100, 3000, 3500]) {
    const { into } = await place(t);
    await t.throwsAsync(into(tar.subarray(0, bytes)), { message: /read tar: it is cut off/ }, `cut at ${bytes}`);
  }
  const { into } = await place(t);
  const damaged = Buffer.from(tar);
  damaged[0] = 0x62;
  await t.throwsAsync(into(damaged), { message: /a header is damaged/ });
});

test("a name of gigabytes is refused before it is read", async (t) => {
  const { into } = await place(t);
  const header = encodeHeader({ kind: "file", name: "x".repeat(5000), target: "", mode: 0, uid: 0, gid: 0, sizeBytes: 0, mtimeSeconds: 0 });
  await t.throwsAsync(into(Buffer.concat([header, END])), { message: /a name is over 4096 bytes/ });
});
