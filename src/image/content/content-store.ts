// Blobs by digest, in <root>/content. A blob is in place only when all of it is on disk and its digest is right.
import { createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { AgentError, during } from "../../base/errors.ts";
import type { Collection } from "../../store/collection.ts";
import type { Store } from "../../store/store.ts";
import type { BlobRecord } from "../records.ts";

export class ContentStore {
  readonly #folder: string;
  readonly #store: Store;
  readonly #records: Collection<BlobRecord>;

  private constructor(folder: string, store: Store) {
    this.#folder = folder;
    this.#store = store;
    this.#records = store.collection<BlobRecord>("blob");
  }

  static async open(root: string, store: Store): Promise<ContentStore> {
    const content = new ContentStore(join(root, "content"), store);
    // What was coming in when berthd ended.
    await rm(content.#ingest(), { recursive: true, force: true });
    await mkdir(join(content.#folder, "blobs", "sha256"), { recursive: true, mode: 0o700 });
    await mkdir(content.#ingest(), { recursive: true, mode: 0o700 });
    return content;
  }

  path(digest: string): string {
    return join(this.#folder, "blobs", "sha256", digest.slice("sha256:".length));
  }

  async has(digest: string): Promise<boolean> {
    return this.#records.get(digest) !== undefined && (await stat(this.path(digest)).catch(() => undefined)) !== undefined;
  }

  blobs(): IterableIterator<BlobRecord> {
    return this.#records.values();
  }

  /** @throws AgentError invalid-argument when size or digest is not as announced; nothing is kept then */
  async write(digest: string, sizeBytes: number, source: AsyncIterable<Uint8Array>): Promise<void> {
    const temporary = join(this.#ingest(), randomBytes(8).toString("hex"));
    try {
      const written = await writeHashed(temporary, sizeBytes, source);
      if (written.bytes !== sizeBytes) throw new AgentError("invalid-argument", `${written.bytes} bytes came, and ${sizeBytes} were announced`);
      if (written.digest !== digest) throw new AgentError("invalid-argument", `the digest of what came is ${written.digest}`);
      await this.#store.commit(this.#records.put({ id: digest, sizeBytes: BigInt(sizeBytes) }));
      await rename(temporary, this.path(digest));
    } finally {
      await rm(temporary, { force: true });
    }
  }

  async writeBytes(digest: string, bytes: Uint8Array): Promise<void> {
    await this.write(digest, bytes.length, (async function* () {
      yield bytes;
    })());
  }

  /** A file of an unpacked archive becomes a blob, whatever name it had. */
  async adopt(path: string): Promise<{ digest: string; sizeBytes: number }> {
    return await during(`read ${path}`, async () => {
      const { size } = await stat(path);
      const digest = await digestOf(createReadStream(path));
      if (!(await this.has(digest))) await this.write(digest, size, createReadStream(path));
      return { digest, sizeBytes: size };
    });
  }

  async read(digest: string): Promise<Buffer> {
    return await readFile(this.path(digest));
  }

  async remove(digest: string): Promise<void> {
    await rm(this.path(digest), { force: true });
    await this.#store.commit(this.#records.delete(digest));
  }

  #ingest(): string {
    return join(this.#folder, "ingest");
  }
}

async function writeHashed(path: string, maxBytes: number, source: AsyncIterable<Uint8Array>): Promise<{ bytes: number; digest: string }> {
  const hash = createHash("sha256");
  const file = await open(path, "wx", 0o600);
  try {
    let bytes = 0;
    for await (const chunk of source) {
      bytes += chunk.length;
      if (bytes > maxBytes) throw new AgentError("invalid-argument", `more than the ${maxBytes} bytes announced came`);
      hash.update(chunk);
      await file.writeFile(chunk);
    }
    await file.sync();
    return { bytes, digest: `sha256:${hash.digest("hex")}` };
  } finally {
    await file.close();
  }
}

async function digestOf(source: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of source) hash.update(chunk);
  return `sha256:${hash.digest("hex")}`;
}
