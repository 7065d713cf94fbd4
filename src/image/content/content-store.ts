// Blobs by digest, in <root>/content. A blob is in place only when all of it is on disk and its digest is right. Its record
// stands before the file gets its name, and goes after it; a record without a file is a blob that is not there.
import { randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { AgentError, during } from "../../base/errors.ts";
import { failpoint } from "../../base/failpoint.ts";
import { InHand } from "../../base/in-hand.ts";
import { KeyedLock } from "../../base/keyed-lock.ts";
import type { Collection } from "../../store/collection.ts";
import type { Store } from "../../store/store.ts";
import type { BlobRecord } from "../records.ts";
import { digestOf, readBoundedFile, syncFile, writeHashed } from "./hashed-file.ts";

export class ContentStore {
  readonly #folder: string;
  readonly #store: Store;
  readonly #records: Collection<BlobRecord>;
  readonly #lock = new KeyedLock();
  readonly #inHand: InHand;

  private constructor(folder: string, store: Store, inHand: InHand) {
    this.#folder = folder;
    this.#store = store;
    this.#inHand = inHand;
    this.#records = store.collection<BlobRecord>("blob");
  }

  static async open(root: string, store: Store, inHand: InHand = new InHand()): Promise<ContentStore> {
    const content = new ContentStore(join(root, "content"), store, inHand);
    // What was coming in when berthd ended.
    await rm(content.#ingest(), { recursive: true, force: true });
    failpoint("cleared half blobs");
    await mkdir(join(content.#folder, "blobs", "sha256"), { recursive: true, mode: 0o700 });
    await mkdir(content.#ingest(), { recursive: true, mode: 0o700 });
    return content;
  }

  path(digest: string): string {
    return join(this.#folder, "blobs", "sha256", digest.slice("sha256:".length));
  }

  blobs(): IterableIterator<BlobRecord> {
    return this.#records.values();
  }

  /**
   * Brings a blob unless it is there; two who want the same one bring it once.
   *
   * @param checked is given a path of the bytes as soon as they are known to be right, while they go to the disk; not called when
   * the blob was there
   * @throws AgentError invalid-argument when size or digest is not as announced; nothing is kept then
   */
  async ensure(digest: string, sizeBytes: number, open: () => Promise<AsyncIterable<Uint8Array>>, checked = ignored): Promise<void> {
    await this.#lock.run(digest, async () => {
      if (!(await this.#has(digest))) await this.#write(digest, sizeBytes, await open(), checked);
    });
  }

  async writeBytes(digest: string, bytes: Uint8Array): Promise<void> {
    await this.ensure(digest, bytes.length, async () => only(bytes));
  }

  /** A file of an unpacked archive becomes a blob, whatever name it had. @param found is told of the digest before the blob is made */
  async adopt(path: string, found: (digest: string) => void): Promise<{ digest: string; sizeBytes: number }> {
    return await during(`read ${path}`, async () => {
      const { size } = await stat(path);
      const digest = await digestOf(createReadStream(path));
      found(digest);
      await this.ensure(digest, size, async () => createReadStream(path));
      return { digest, sizeBytes: size };
    });
  }

  async read(digest: string, maxBytes: number): Promise<Buffer> {
    return await readBoundedFile(this.path(digest), maxBytes);
  }

  /** Of a blob that is here, all of it; undefined when it is not. */
  async sizeOf(digest: string): Promise<number | undefined> {
    return (await this.#has(digest)) ? Number(this.#records.get(digest)?.sizeBytes) : undefined;
  }

  /** @param needed asked at the last moment: who holds a blob before `ensure` keeps it */
  async remove(digest: string, needed: () => boolean): Promise<void> {
    await this.#lock.run(digest, async () => {
      if (needed()) return;
      await rm(this.path(digest), { force: true });
      failpoint("removed blob file");
      await this.#store.commit(this.#records.delete(digest));
    });
  }

  isBusy(digest: string): boolean {
    return this.#lock.isHeld(digest);
  }

  /** Takes a file away that no record speaks of. */
  async removeStray(digest: string): Promise<void> {
    await this.#lock.run(digest, async () => {
      if (this.#records.get(digest) === undefined) await rm(this.path(digest), { force: true });
    });
  }

  /** Forgets a blob whose file is not as its record says. */
  async forgetLost(digest: string): Promise<void> {
    await this.#lock.run(digest, async () => {
      if (await this.#has(digest)) return;
      await rm(this.path(digest), { force: true });
      await this.#store.commit(this.#records.delete(digest));
    });
  }

  async #has(digest: string): Promise<boolean> {
    const record = this.#records.get(digest);
    if (record === undefined) return false;
    const file = await stat(this.path(digest)).catch(() => undefined);
    return file !== undefined && BigInt(file.size) === record.sizeBytes;
  }

  async #write(digest: string, sizeBytes: number, source: AsyncIterable<Uint8Array>, checked: Checked): Promise<void> {
    const temporary = join(this.#ingest(), randomBytes(8).toString("hex"));
    await this.#inHand.during(temporary, () => this.#writeBy(temporary, digest, sizeBytes, source, checked));
  }

  async #writeBy(temporary: string, digest: string, sizeBytes: number, source: AsyncIterable<Uint8Array>, checked: Checked): Promise<void> {
    try {
      const written = await writeHashed(temporary, sizeBytes, source);
      failpoint("wrote blob file");
      if (written.bytes !== sizeBytes)
        throw new AgentError("invalid-argument", `${written.bytes} bytes came, and ${sizeBytes} were announced`);
      if (written.digest !== digest) throw new AgentError("invalid-argument", `the digest of what came is ${written.digest}`);
      // Both are waited for whatever the other does: nobody must read a file that is being taken away.
      const ended = await Promise.allSettled([syncFile(temporary), checked(temporary)]);
      failpoint("synced blob file");
      for (const { reason } of ended.filter((each) => each.status === "rejected")) throw reason;
      await this.#store.commitNew(this.#records.put({ id: digest, sizeBytes: BigInt(sizeBytes) }));
      await rename(temporary, this.path(digest));
      failpoint("renamed blob file");
    } finally {
      await rm(temporary, { force: true });
    }
  }

  #ingest(): string {
    return join(this.#folder, "ingest");
  }
}

type Checked = (path: string) => Promise<void>;

const ignored: Checked = async () => {};

async function* only(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}
