// The side of a copy that is on this machine: which folder a container's files go to, and what of ours goes to a container.
import { lstat, mkdir, open, stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { AgentError } from "../../base/errors.ts";
import { CopySource } from "../../generated/berth/v1/berth.ts";
import type { Target } from "./extract.ts";
import { Folder } from "./folder.ts";
import { content, packFolder, packName, type Packing } from "./pack.ts";
import { nameOf } from "./place.ts";
import { END } from "./tar-header.ts";

/**
 * A folder takes the source in under its own name; another path is the source's new name.
 *
 * @param name of the source, which is what the copy is called whatever the tar says
 * @throws AgentError not-found for a folder that is not there, failed-precondition for a file where a folder is due
 */
export async function aim(path: string, source: CopySource, name: string | undefined, keepOwners: boolean): Promise<Target> {
  const there = await stat(path).catch((failure: NodeJS.ErrnoException) => {
    if (failure.code === "ENOENT") return undefined;
    throw failure;
  });
  const isFile = source === CopySource.COPY_SOURCE_FILE;
  const isContents = source === CopySource.COPY_SOURCE_CONTENTS;
  if (there?.isDirectory() === true) return { folder: path, rename: isContents ? undefined : name, keepOwners };
  if (there !== undefined && (!isFile || path.endsWith("/")))
    throw new AgentError("failed-precondition", `copy to ${path}: it is not a folder`);
  if (there === undefined && ((isFile && path.endsWith("/")) || nameOf(path) === undefined))
    throw new AgentError("not-found", `copy to ${path}: there is no such folder`);
  if (isContents) await mkdir(path);
  return isContents ? { folder: path, rename: undefined, keepOwners } : { folder: dirname(path), rename: basename(path), keepOwners };
}

export interface LocalSource {
  readonly kind: CopySource;
  readonly tar: AsyncGenerator<Buffer>;
}

/** @param followLink what a link at the path leads to; a path that ends in a slash always follows */
export async function openSource(path: string, followLink: boolean, packing: Packing): Promise<LocalSource> {
  const name = nameOf(path);
  const found = await (followLink || path.endsWith("/") || name === undefined ? stat(path) : lstat(path));
  const as = Buffer.from(name ?? ".").toString("latin1");
  if (found.isDirectory()) {
    const kind = name === undefined ? CopySource.COPY_SOURCE_CONTENTS : CopySource.COPY_SOURCE_FOLDER;
    return { kind, tar: closing(await Folder.open(path), (folder) => packFolder(folder, as, packing)) };
  }
  if (path.endsWith("/")) throw new AgentError("failed-precondition", `copy ${path}: it is not a folder`);
  const kind = CopySource.COPY_SOURCE_FILE;
  if (found.isFile() && followLink) return { kind, tar: closing(await open(path), (file) => wholeFile(file, as)) };
  if (!found.isFile() && !found.isSymbolicLink())
    throw new AgentError("failed-precondition", `copy ${path}: it is neither a file, a folder nor a link`);
  return { kind, tar: closing(await Folder.open(dirname(path)), (folder) => packName(folder, as, as, packing)) };
}

async function* wholeFile(file: Parameters<typeof content>[0], as: string): AsyncGenerator<Buffer> {
  yield* content(file, as);
  yield END;
}

async function* closing<T extends AsyncDisposable>(source: T, pack: (source: T) => AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  await using opened = source;
  yield* pack(opened);
}
