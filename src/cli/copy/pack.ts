// A file or folder of this machine as a tar. Below the top no link is followed.
import type { Stats } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { AgentError, wrap } from "../../base/errors.ts";
import type { Folder } from "./folder.ts";
import { encodeHeader, END, padding, type TarEntry } from "./tar-header.ts";

const READ_BYTES = 256 * 1024;

/** What has come of it beside the tar. */
export interface Packing {
  /** sockets, pipes and devices */
  leftOut: number;
}

/** A file or link that stands by this name in the folder. */
export async function* packName(folder: Folder, name: string, as: string, packing: Packing): AsyncGenerator<Buffer> {
  yield* child(folder, name, as, packing);
  yield END;
}

/** A folder and what is in it; `as` is "." for its contents. */
export async function* packFolder(folder: Folder, as: string, packing: Packing): AsyncGenerator<Buffer> {
  yield* contents(folder, as, packing);
  yield END;
}

async function* contents(folder: Folder, as: string, packing: Packing): AsyncGenerator<Buffer> {
  yield encodeHeader(entryOf("folder", as, await folder.handle.stat()));
  for (const name of await folder.names()) yield* child(folder, name, `${as}/${name}`, packing);
}

async function* child(parent: Folder, name: string, as: string, packing: Packing): AsyncGenerator<Buffer> {
  try {
    const stat = await parent.look(name);
    // Gone since its folder was read.
    if (stat === undefined) return;
    if (stat.isSymbolicLink()) return yield encodeHeader({ ...entryOf("link", as, stat), target: await parent.target(name) });
    if (stat.isDirectory()) {
      await using folder = await parent.folder(name);
      return yield* contents(folder, as, packing);
    }
    if (stat.isFile()) {
      await using file = await parent.read(name);
      return yield* content(file, as);
    }
    packing.leftOut++;
  } catch (failure) {
    throw failure instanceof AgentError ? failure : wrap(failure, `read ${JSON.stringify(Buffer.from(as, "latin1").toString())}`);
  }
}

/** As many bytes as the header says: what the file has lost meanwhile is zeros, what it has gained is left. */
export async function* content(file: FileHandle, as: string): AsyncGenerator<Buffer> {
  const stat = await file.stat();
  const entry = { ...entryOf("file", as, stat), sizeBytes: stat.size };
  yield encodeHeader(entry);
  for (let left = stat.size; left > 0; ) {
    const buffer = Buffer.alloc(Math.min(READ_BYTES, left));
    const { bytesRead } = await file.read(buffer);
    left -= bytesRead === 0 ? buffer.length : bytesRead;
    yield bytesRead === 0 ? buffer : buffer.subarray(0, bytesRead);
  }
  yield padding(stat.size);
}

const entryOf = (kind: TarEntry["kind"], name: string, { mode, uid, gid, mtimeMs }: Stats): TarEntry => ({
  kind,
  name,
  target: "",
  mode: mode & 0o7777,
  uid,
  gid,
  sizeBytes: 0,
  mtimeSeconds: Math.max(0, Math.floor(mtimeMs / 1000)),
});
