// A tar of a container into a folder of this machine. The tar is hostile: each entry is made by one name in a folder that was opened
// before, so neither ".." nor a link leads out; and nothing that is there is replaced but by its like.
import type { FileHandle } from "node:fs/promises";
import { AgentError, wrap } from "../../base/errors.ts";
import { Folder } from "./folder.ts";
import { broken, type TarEntry } from "./tar-header.ts";
import { readTar } from "./tar-reader.ts";

export interface Target {
  /** of this machine; must be there */
  readonly folder: string;
  /** instead of the first part of each name; undefined leaves it */
  readonly rename: string | undefined;
  readonly keepOwners: boolean;
}

const MAX_DEPTH = 256;
// Neither set-user-ID nor set-group-ID: here they would be rights of somebody else.
const MODE_BITS = 0o777;

/** What was made before a failure stays. @throws AgentError with the path of the entry */
export async function extract(tar: AsyncIterable<Buffer>, target: Target): Promise<void> {
  await using top = await Folder.open(target.folder);
  const extractor = new Extractor(top, target);
  try {
    await readTar(tar, extractor);
    await extractor.leave(0);
  } finally {
    await extractor.close();
  }
}

interface Level {
  readonly name: string;
  readonly folder: Folder;
  /** of a folder that was made here: what it gets when all is in it */
  readonly made: TarEntry | undefined;
}

class Extractor {
  readonly #top: Folder;
  readonly #target: Target;
  /** the folders that the last entry is in, outermost first */
  #levels: Level[] = [];

  constructor(top: Folder, target: Target) {
    this.#top = top;
    this.#target = target;
  }

  async entry(entry: TarEntry, content: AsyncGenerator<Buffer>): Promise<void> {
    const parts = this.#parts(entry.name);
    const last = parts.pop();
    // The contents of a folder begin with the folder itself, which is there.
    if (last === undefined) return;
    try {
      await this.#enter(parts);
      const folder = this.#levels.at(-1)?.folder ?? this.#top;
      if (entry.kind === "folder") await this.#folder(folder, last, entry);
      else if (entry.kind === "link") await this.#link(folder, last, entry);
      else await this.#file(folder, last, entry, content);
    } catch (failure) {
      throw wrap(failure, `copy ${JSON.stringify(utf8(entry.name))} to ${this.#target.folder}`);
    }
  }

  /** Finishes the folders below so many. */
  async leave(levels: number): Promise<void> {
    for (let level = this.#levels[levels]; this.#levels.length > levels; level = this.#levels[levels]) {
      const last = this.#levels.pop() ?? level;
      if (last === undefined) return;
      if (last.made !== undefined) await this.#dress(last.folder.handle, last.made);
      await last.folder[Symbol.asyncDispose]();
    }
  }

  async close(): Promise<void> {
    for (const { folder } of this.#levels) await folder[Symbol.asyncDispose]().catch(() => {});
    this.#levels = [];
  }

  #parts(name: string): string[] {
    const parts = name.split("/").filter((part) => part !== "" && part !== ".");
    if (name.startsWith("/") || parts.includes("..") || name.includes("\0"))
      throw broken(`entry ${JSON.stringify(utf8(name))} leads out of the folder`);
    if (parts.length > MAX_DEPTH) throw broken(`entry ${JSON.stringify(utf8(name))} is nested over ${MAX_DEPTH} folders deep`);
    if (this.#target.rename !== undefined && parts.length > 0) parts[0] = latin1(this.#target.rename);
    return parts;
  }

  /** Folders come before what is in them, one after the other; so the way to an entry is open, or there is none. */
  async #enter(parts: readonly string[]): Promise<void> {
    const same = parts.findIndex((part, index) => this.#levels[index]?.name !== part);
    await this.leave(same < 0 ? parts.length : same);
    if (this.#levels.length < parts.length) throw broken("it comes before its folder");
  }

  async #folder(parent: Folder, name: string, entry: TarEntry): Promise<void> {
    const there = await parent.look(name);
    if (there?.isDirectory() === false) throw new AgentError("failed-precondition", "there is something of this name that is no folder");
    if (there === undefined) await parent.makeFolder(name);
    const made = there === undefined ? entry : undefined;
    this.#levels.push({ name, folder: await parent.folder(name), made });
  }

  async #link(parent: Folder, name: string, entry: TarEntry): Promise<void> {
    await makeRoom(parent, name);
    await parent.link(name, entry.target);
    if (this.#target.keepOwners) await parent.own(name, entry.uid, entry.gid);
    await parent.date(name, entry.mtimeSeconds);
  }

  async #file(parent: Folder, name: string, entry: TarEntry, content: AsyncGenerator<Buffer>): Promise<void> {
    await makeRoom(parent, name);
    await using file = await parent.create(name);
    for await (const piece of content) await file.writeFile(piece);
    await this.#dress(file, entry);
  }

  async #dress(handle: FileHandle, { mode, uid, gid, mtimeSeconds }: TarEntry): Promise<void> {
    if (this.#target.keepOwners) await handle.chown(uid, gid);
    await handle.chmod(mode & MODE_BITS);
    await handle.utimes(mtimeSeconds, mtimeSeconds);
  }
}

async function makeRoom(folder: Folder, name: string): Promise<void> {
  const there = await folder.look(name);
  if (there?.isDirectory() === true) throw new AgentError("failed-precondition", "there is a folder of this name");
  if (there !== undefined) await folder.remove(name);
}

const latin1 = (text: string): string => Buffer.from(text).toString("latin1");
const utf8 = (bytes: string): string => Buffer.from(bytes, "latin1").toString("utf8");
