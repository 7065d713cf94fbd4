// Which images there are, by which names, and who uses them: the records alone. All of them are changed one after the other, and
// nothing slow is done in that order. What a removed image leaves on the disk is the image service's to clear away.
import type { Clock } from "../base/clock.ts";
import { AgentError, during } from "../base/errors.ts";
import { KeyedLock } from "../base/keyed-lock.ts";
import type { Change } from "../store/change.ts";
import type { Store } from "../store/store.ts";
import type { BuiltImage } from "./build-image.ts";
import { findImage, findNamed } from "./find-image.ts";
import { ImageTable } from "./image-table.ts";
import { ImageUse } from "./image-use.ts";
import { withNames, withoutName } from "./names.ts";
import type { ImageRecord } from "./records.ts";
import { parseReference, taggedName } from "./reference.ts";

export class ImageCatalog {
  readonly use: ImageUse;
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #images: ImageTable;
  readonly #lock = new KeyedLock();

  constructor(store: Store, clock: Clock) {
    this.use = new ImageUse(store);
    this.#store = store;
    this.#clock = clock;
    this.#images = new ImageTable(store);
  }

  /** Those that have not been removed. */
  list(): ImageRecord[] {
    return this.#images.list();
  }

  /** Removed ones among them. */
  all(): ImageRecord[] {
    return this.#images.all();
  }

  /** By name, by digest, by id or by the beginning of an id. */
  find(text: string): ImageRecord | undefined {
    const exact = this.#images.get(text);
    return exact === undefined ? findImage(this.list(), text) : exact.removed ? undefined : exact;
  }

  /** As `find`. @throws AgentError not-found */
  require(text: string): ImageRecord {
    const image = this.find(text);
    if (image === undefined) throw new AgentError("not-found", `image ${JSON.stringify(text.slice(0, 512))} is not on this node`);
    return image;
  }

  /** By id, also one that was removed and is still used by a container. */
  get(id: string): ImageRecord | undefined {
    return this.#images.get(id);
  }

  /** @param key a chain id, or the digest of a blob */
  needs(key: string): boolean {
    return this.#images.needs(key);
  }

  /** An image is here, and has these names beside those it had. */
  async add(image: BuiltImage, references: readonly string[], repoDigests: readonly string[]): Promise<ImageRecord> {
    return await this.#changing(async () => {
      const nowNanos = this.#clock.nowNanos();
      const before = this.#images.get(image.id) ?? { references: [], repoDigests: [], createdAtNanos: nowNanos, pinned: false };
      const { createdAtNanos, pinned } = before;
      const record = { ...image, ...withNames(before, references, repoDigests), createdAtNanos, pinned, removed: false };
      return await this.#put(record, references, this.use.usedAt(image.id, nowNanos));
    });
  }

  /** @throws AgentError not-found, invalid-argument for a name that has a digest */
  async tag(source: string, target: string): Promise<ImageRecord> {
    return await during(`tag image ${source}`, async () => {
      const reference = parseReference(target);
      if (reference.digest !== "") throw new AgentError("invalid-argument", `${target} has a digest, which can't be given`);
      return await this.#changing(async () => {
        const image = this.require(source);
        const names = [taggedName(reference)];
        return await this.#put({ ...image, ...withNames(image, names, []) }, names);
      });
    });
  }

  /** Takes one name away, and the image with its last one unless `keepLast` says to leave that. @throws AgentError not-found */
  async untag(text: string, keepLast: boolean): Promise<{ image: ImageRecord; wasLast: boolean }> {
    return await this.#changing(async () => {
      const image = findNamed(this.list(), text);
      if (image === undefined) throw new AgentError("not-found", "no image has this name");
      const left = withoutName(image, parseReference(text));
      const wasLast = left.references.length === 0 && left.repoDigests.length === 0;
      if (!wasLast || !keepLast) await this.#store.commit(this.#images.put({ ...image, ...left, removed: wasLast }));
      return { image, wasLast };
    });
  }

  /** Takes all names away. @returns what was there */
  async remove(text: string): Promise<ImageRecord | undefined> {
    return await this.#changing(async () => {
      const image = this.find(text);
      if (image !== undefined) await this.#store.commit(this.#removed(image));
      return image;
    });
  }

  /** Unless a container uses it or it is pinned. @returns what was removed */
  async removeUnused(id: string): Promise<ImageRecord | undefined> {
    return await this.#changing(async () => {
      const image = this.#images.get(id);
      if (image === undefined || image.removed || image.pinned || this.use.has(id)) return undefined;
      // Said before it is written, because a container may be made meanwhile.
      this.use.bar(id);
      try {
        await this.#store.commit(this.#removed(image));
      } catch (failure) {
        this.use.unbar(id);
        throw failure;
      }
      return image;
    });
  }

  /** Of removed images that no container uses. */
  async forgetUnused(): Promise<void> {
    await this.#changing(async () => {
      const unused = this.all().filter((image) => image.removed && !this.use.has(image.id));
      // Said before the record goes, because a container may be made while that is written.
      for (const { id } of unused) this.use.bar(id);
      if (unused.length > 0) await this.#store.commit(...unused.flatMap(({ id }) => [this.#images.delete(id), this.use.forget(id)]));
    });
  }

  /** A name is taken from the image that had it. @param names of the image, those that may have been another's */
  async #put(image: ImageRecord, names: readonly string[], ...also: readonly Change[]): Promise<ImageRecord> {
    const others = this.list().filter((other) => other.id !== image.id && other.references.some((name) => names.includes(name)));
    const moved = others.map((other) =>
      this.#images.put({ ...other, references: other.references.filter((name) => !names.includes(name)) }),
    );
    await this.#store.commitNew(this.#images.put(image), ...moved, ...also);
    this.use.unbar(image.id);
    return image;
  }

  #removed(image: ImageRecord): Change {
    return this.#images.put({ ...image, references: [], repoDigests: [], removed: true });
  }

  async #changing<T>(work: () => Promise<T>): Promise<T> {
    return await this.#lock.run("images", work);
  }
}
