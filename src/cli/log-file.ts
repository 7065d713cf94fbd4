// The bytes of a log, to its end or as it grows, over rotations by rename.
import type { BigIntStats } from "node:fs";
import { type FileHandle, open, readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { FolderChanges } from "./file-changes.ts";

const CHUNK_BYTES = 64 * 1024;
// As the kubelet and the shim name older files; those that the kubelet has packed are left out.
const OLDER_FILE = /^\.\d{8}-\d{6}(\.\d+)?$/;

/** Says that all there was has been read. */
export const CAUGHT_UP = Symbol("caught up");

/**
 * The oldest of its files first.
 *
 * @param ended follows the log until this is aborted, and then to its end; without it the log is read once
 * @throws the system's ENOENT when there is no file and it is not followed
 */
export async function* readLog(path: string, ended?: AbortSignal): AsyncGenerator<Buffer | typeof CAUGHT_UP> {
  using changes = ended === undefined ? undefined : new FolderChanges(dirname(path), ended);
  let file = changes === undefined || ended === undefined ? await openOldest(path) : await openWhenThere(path, changes, ended);
  try {
    while (file !== undefined) {
      // Asked before reading, so that what came before the end is read after it.
      const over = ended?.aborted ?? true;
      yield* rest(file);
      const next = await successor(path, file, over);
      if (next !== undefined) {
        yield* rest(file);
        await file.close();
        file = next;
        continue;
      }
      yield CAUGHT_UP;
      if (over) return;
      await changes?.next();
    }
  } finally {
    await file?.close();
  }
}

async function* rest(file: FileHandle): AsyncGenerator<Buffer> {
  for (;;) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(CHUNK_BYTES), 0, CHUNK_BYTES, null);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}

async function openWhenThere(path: string, changes: FolderChanges, ended: AbortSignal): Promise<FileHandle | undefined> {
  for (;;) {
    const over = ended.aborted;
    try {
      return await openOldest(path);
    } catch (failure) {
      if (!isMissing(failure)) throw failure;
    }
    if (over) return undefined;
    await changes.next();
  }
}

/** @throws the system's ENOENT when there is no file */
async function openOldest(path: string): Promise<FileHandle> {
  return (await openFirst(async () => [...(await olderFiles(path)), path])) ?? (await open(path, "r"));
}

/** The file that comes after this one, when there is one. */
function successor(path: string, file: FileHandle, over: boolean): Promise<FileHandle | undefined> {
  return openFirst(async () => {
    const own = await file.stat({ bigint: true });
    const there = await statIfThere(path);
    if (isSame(own, there)) return [];
    const older = await olderFiles(path);
    const index = (await Promise.all(older.map(statIfThere))).findIndex((each) => isSame(own, each));
    // One that was removed since was the oldest; one that has another name was the last.
    const later = index >= 0 ? older.slice(index + 1) : own.nlink === 0n ? older : [];
    // While the container runs, one that is still empty is left for later: its writer makes it first, and then writes what is
    // left to the old one.
    return there !== undefined && (over || there.size > 0n) ? [...later, path] : later;
  });
}

/** @param list names of files, the one that is wanted first */
async function openFirst(list: () => Promise<string[]>): Promise<FileHandle | undefined> {
  for (;;) {
    const [first, ...others] = await list();
    if (first === undefined) return undefined;
    const file = await openIfThere(first);
    if (file === undefined && others.length === 0) return undefined;
    // Between list and open a rotation may have put an older file before it.
    const [now = first] = await list();
    if (file !== undefined && (now === first || isSame(await file.stat({ bigint: true }), await statIfThere(now)))) return file;
    await file?.close();
  }
}

async function olderFiles(path: string): Promise<string[]> {
  const [folder, name] = [dirname(path), basename(path)];
  const names = await readdir(folder);
  return names
    .filter((each) => each.startsWith(name) && OLDER_FILE.test(each.slice(name.length)))
    .sort()
    .map((each) => join(folder, each));
}

const openIfThere = (path: string): Promise<FileHandle | undefined> => open(path, "r").catch(undefinedIfMissing);
const statIfThere = (path: string) => stat(path, { bigint: true }).catch(undefinedIfMissing);

function undefinedIfMissing(failure: unknown): undefined {
  if (!isMissing(failure)) throw failure;
}

const isSame = (one: BigIntStats, other: BigIntStats | undefined): boolean => one.ino === other?.ino && one.dev === other.dev;

const isMissing = (failure: unknown): boolean => failure instanceof Error && "code" in failure && failure.code === "ENOENT";
