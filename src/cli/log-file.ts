// The bytes of a log file, to its end or as it grows, over rotations by rename.
import { type FileHandle, open, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { FolderChanges } from "./file-changes.ts";

const CHUNK_BYTES = 64 * 1024;

/** Says that all there was has been read. */
export const CAUGHT_UP = Symbol("caught up");

/**
 * @param ended follows the file until this is aborted, and then to its end; without it the file is read once
 * @throws the system's ENOENT when there is no file and it is not followed
 */
export async function* readLog(path: string, ended?: AbortSignal): AsyncGenerator<Buffer | typeof CAUGHT_UP> {
  if (ended === undefined) {
    await using file = await open(path, "r");
    yield* rest(file);
    yield CAUGHT_UP;
    return;
  }
  using changes = new FolderChanges(dirname(path), ended);
  let file = await openWhenThere(path, changes, ended);
  try {
    while (file !== undefined) {
      // Asked before reading, so that what came before the end is read after it.
      const over = ended.aborted;
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
      await changes.next();
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
      return await open(path, "r");
    } catch (failure) {
      if (!isMissing(failure)) throw failure;
    }
    if (over) return undefined;
    await changes.next();
  }
}

/**
 * The file that has the path now, when that is another one. While the container runs, one that is still empty is left for
 * later: its writer makes it first, and then writes what is left to the old one.
 */
async function successor(path: string, file: FileHandle, over: boolean): Promise<FileHandle | undefined> {
  try {
    const [own, there] = await Promise.all([file.stat({ bigint: true }), stat(path, { bigint: true })]);
    if (own.ino === there.ino && own.dev === there.dev) return undefined;
    return over || there.size > 0n ? await open(path, "r") : undefined;
  } catch (failure) {
    if (isMissing(failure)) return undefined;
    throw failure;
  }
}

const isMissing = (failure: unknown): boolean => failure instanceof Error && "code" in failure && failure.code === "ENOENT";
