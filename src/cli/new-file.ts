// A file that is there when all of it is: it gets its name last, and what was there before stays until then.
import { randomBytes } from "node:crypto";
import { type FileHandle, open, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/**
 * What is no regular file, a pipe or /dev/stdout, is written to as it is.
 *
 * @param work is given what appends to the file; when it throws, the new file goes
 * @param mode of the new file, before the umask
 */
export async function writeNewFile(
  path: string,
  work: (append: (data: Uint8Array) => Promise<void>) => Promise<void>,
  mode = 0o666,
): Promise<void> {
  const there = await stat(path).catch(() => undefined);
  if (there !== undefined && !there.isFile()) return await appendAll(await open(path, "w"), work);
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(4).toString("hex")}`);
  try {
    await appendAll(await open(temporary, "wx", mode), work);
    await rename(temporary, path);
  } catch (failure) {
    await rm(temporary, { force: true });
    throw failure;
  }
}

async function appendAll(file: FileHandle, work: (append: (data: Uint8Array) => Promise<void>) => Promise<void>): Promise<void> {
  try {
    await work((data) => file.writeFile(data));
  } finally {
    await file.close();
  }
}
