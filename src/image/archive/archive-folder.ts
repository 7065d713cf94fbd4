// The files of an unpacked image archive by their names in it; nothing outside is ever opened.
import { lstat, open, realpath } from "node:fs/promises";
import { join } from "node:path";
import { AgentError } from "../../base/errors.ts";
import { Compression } from "../../generated/berth/native/helper.ts";
import { readBoundedFile } from "../content/hashed-file.ts";

const MAX_JSON_BYTES = 4 * 1024 * 1024;

export class ArchiveFolder {
  readonly #root: string;

  private constructor(root: string) {
    this.#root = root;
  }

  static async open(folder: string): Promise<ArchiveFolder> {
    return new ArchiveFolder(await realpath(folder));
  }

  async has(name: string): Promise<boolean> {
    return (await lstat(join(this.#root, name)).catch(() => undefined))?.isFile() === true;
  }

  /**
   * Archives of `docker save` link equal layers to each other, so links are followed as long as they stay inside.
   *
   * @throws AgentError invalid-argument for a name that is of no regular file in here
   */
  async path(name: string): Promise<string> {
    const refuse = (why: string): AgentError =>
      new AgentError("invalid-argument", `load archive: ${JSON.stringify(name.slice(0, 256))} ${why}`);
    if (name === "" || name.includes("\0")) throw refuse("names no file");
    const path = await realpath(join(this.#root, name)).catch(() => undefined);
    if (path === undefined) throw refuse("is not in the archive");
    if (!path.startsWith(`${this.#root}/`)) throw refuse("leads out of the archive");
    if (!(await lstat(path)).isFile()) throw refuse("is no file");
    return path;
  }

  async json(name: string): Promise<unknown> {
    const bytes = await this.bytes(name);
    try {
      return JSON.parse(bytes.toString("utf8"));
    } catch (cause) {
      throw new AgentError("invalid-argument", `load archive: ${name} is no JSON`, { cause });
    }
  }

  async bytes(name: string): Promise<Buffer> {
    return await readBoundedFile(await this.path(name), MAX_JSON_BYTES);
  }
}

/** Of a tar, by its first bytes: archives don't say. */
export async function compressionOf(path: string): Promise<Compression> {
  const file = await open(path);
  try {
    const magic = Buffer.alloc(4);
    await file.read(magic, 0, 4, 0);
    if (magic.subarray(0, 2).equals(Buffer.from([0x1f, 0x8b]))) return Compression.COMPRESSION_GZIP;
    if (magic.equals(Buffer.from([0x28, 0xb5, 0x2f, 0xfd]))) return Compression.COMPRESSION_ZSTD;
    return Compression.COMPRESSION_NONE;
  } finally {
    await file.close();
  }
}
