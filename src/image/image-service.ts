// Images on this node: pulled, loaded, found, removed. Layers and blobs are shared, and go when no image, no container and
// nothing under way needs them. All names are changed one after the other; nothing slow is done in that order.
import { createHash } from "node:crypto";
import type { Clock } from "../base/clock.ts";
import { AgentError, during, messageOf } from "../base/errors.ts";
import type { InHand } from "../base/in-hand.ts";
import { KeyedLock } from "../base/keyed-lock.ts";
import type { Log } from "../base/log.ts";
import type { Helper } from "../native-client/helper.ts";
import type { Store } from "../store/store.ts";
import { AbortableCalls } from "./abortable-calls.ts";
import type { BuildPlace, BuiltImage } from "./build-image.ts";
import { ContentStore } from "./content/content-store.ts";
import { findImage, findNamed } from "./find-image.ts";
import { ImageParts } from "./image-parts.ts";
import { ImageTable, keysOf } from "./image-table.ts";
import { Leases } from "./leases.ts";
import { archivesFolder, loadArchive } from "./load-archive.ts";
import { mountpointOf } from "./mountpoint.ts";
import { withNames, withoutName } from "./names.ts";
import { pullImage } from "./pull-image.ts";
import type { ImageRecord } from "./records.ts";
import { parseReference, repository, taggedName } from "./reference.ts";
import type { RegistryAuth } from "./registry/credentials.ts";
import { type ArchiveFormat, type ImageToSave, saveArchive } from "./save-archive.ts";
import { SnapshotStore } from "./snapshot/snapshot-store.ts";

export type { ImageRecord } from "./records.ts";
export type { RegistryAuth } from "./registry/credentials.ts";
export { isRegistryUnavailable } from "./registry/failures.ts";
export { ARCHIVE_FORMATS } from "./save-archive.ts";

export interface ImageOptions {
  readonly root: string;
  readonly store: Store;
  readonly helper: Helper;
  readonly registryConfigDir: string;
  readonly log: Log;
  readonly clock: Clock;
  readonly inHand?: InHand;
}

export interface FileSystemUsage {
  readonly mountpoint: string;
  readonly usedBytes: bigint;
  readonly inodesUsed: bigint;
  readonly timestampNanos: bigint;
}

export class ImageService {
  /** for a comparison with what is on disk */
  readonly parts: ImageParts;
  readonly #options: ImageOptions;
  readonly #images: ImageTable;
  readonly #content: ContentStore;
  readonly #snapshots: SnapshotStore;
  readonly #mountpoint: string;
  readonly #pulling = new AbortableCalls<ImageRecord>();
  readonly #leases = new Leases();
  readonly #lock = new KeyedLock();
  /** by image id: how many containers use it */
  readonly #users = new Map<string, number>();
  /** Images whose record is gone, or going: nobody may begin to use them. */
  readonly #gone = new Set<string>();

  private constructor(options: ImageOptions, content: ContentStore, snapshots: SnapshotStore, mountpoint: string) {
    this.#options = options;
    this.#images = new ImageTable(options.store);
    this.#content = content;
    this.#snapshots = snapshots;
    this.#mountpoint = mountpoint;
    this.parts = new ImageParts(content, snapshots, () => this.#dropBroken());
  }

  static async open(options: ImageOptions): Promise<ImageService> {
    const { root, store, helper, log, inHand } = options;
    const content = await ContentStore.open(root, store, inHand);
    const snapshots = await SnapshotStore.open({ root, store, helper, log });
    await helper
      .removeTree(archivesFolder(root))
      .catch((failure: unknown) => log.warn({ err: messageOf(failure) }, "the remains of an archive could not be cleared away"));
    const service = new ImageService(options, content, snapshots, await mountpointOf(root));
    await service.#dropBroken();
    return service;
  }

  /** Two who pull the same name at the same time share one pull; it ends early only when both have gone away. */
  async pull(text: string, auth: RegistryAuth | undefined, signal: AbortSignal): Promise<ImageRecord> {
    const reference = parseReference(text);
    // Credentials are part of the key: who may not read an image must not get it by asking at the right moment.
    const key = createHash("sha256")
      .update(JSON.stringify([reference, auth]))
      .digest("hex");
    return await this.#pulling.join(key, signal, (shared) =>
      this.#build(shared, async (place) => {
        const { image, digest } = await pullImage(reference, this.#options.registryConfigDir, auth, place);
        return await this.#add(image, reference.digest === "" ? [taggedName(reference)] : [], [`${repository(reference)}@${digest}`]);
      }),
    );
  }

  /** @param tarPath below --root */
  async loadArchive(tarPath: string, signal: AbortSignal = new AbortController().signal): Promise<ImageRecord[]> {
    return await this.#build(signal, async (place) => {
      // A layout has an entry for each name of an image.
      const records = new Map<string, ImageRecord>();
      for (const { image, references } of await loadArchive(tarPath, this.#options, place)) {
        records.set(image.id, await this.#add(image, references, []));
      }
      return [...records.values()];
    });
  }

  /**
   * One archive of several images. What was named by its name has that name in it, what was named otherwise has none.
   *
   * @throws AgentError not-found, or failed-precondition when a packed layer is not here, both before the first piece
   */
  async *save(texts: readonly string[], format: ArchiveFormat, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const lease = this.#leases.open();
    try {
      yield* saveArchive(this.#toSave(texts), format, { content: this.#content, lease, images: this.list() }, signal);
    } finally {
      lease.release();
      // An image may have been removed meanwhile.
      await this.collectGarbage();
    }
  }

  list(): ImageRecord[] {
    return this.#images.list();
  }

  /** By name, by digest, by id or by the beginning of an id. */
  find(text: string): ImageRecord | undefined {
    const exact = this.#images.get(text);
    return exact === undefined ? findImage(this.list(), text) : exact.removed ? undefined : exact;
  }

  /** By id, also one that was removed and is still used by a container. @throws AgentError not-found */
  get(id: string): ImageRecord {
    const image = this.#images.get(id);
    if (image === undefined) throw new AgentError("not-found", `find image: no image has id ${id}`);
    return image;
  }

  /** @param target is taken from the image that had it @throws AgentError not-found, invalid-argument */
  async tag(source: string, target: string): Promise<ImageRecord> {
    return await during(`tag image ${source}`, async () => {
      const reference = parseReference(target);
      if (reference.digest !== "") throw new AgentError("invalid-argument", `${target} has a digest, which can't be given`);
      return await this.#changing(async () => await this.#name(this.#require(source), [taggedName(reference)], []));
    });
  }

  /**
   * Takes one name away, and the image with its last one.
   *
   * @param keepLast leaves a last name as it is
   * @throws AgentError not-found
   */
  async untag(text: string, keepLast: boolean): Promise<{ image: ImageRecord; wasLast: boolean }> {
    return await during(`untag image ${text}`, async () => {
      const untagged = await this.#changing(async () => {
        const image = findNamed(this.list(), text);
        if (image === undefined) throw new AgentError("not-found", "no image has this name");
        const left = withoutName(image, parseReference(text));
        const wasLast = left.references.length === 0 && left.repoDigests.length === 0;
        if (!wasLast || !keepLast) await this.#options.store.commit(this.#images.put({ ...image, ...left, removed: wasLast }));
        return { image, wasLast };
      });
      if (untagged.wasLast && !keepLast) await this.#clearAway(untagged.image);
      return untagged;
    });
  }

  /** Takes all names of the image away. What containers use of it stays until they are gone. A missing image is success. */
  async remove(text: string): Promise<void> {
    await during(`remove image ${text}`, async () => {
      const image = await this.#changing(async () => {
        const found = this.find(text);
        if (found !== undefined)
          await this.#options.store.commit(this.#images.put({ ...found, references: [], repoDigests: [], removed: true }));
        return found;
      });
      if (image !== undefined) await this.#clearAway(image);
    });
  }

  /**
   * A container uses the image from now on.
   *
   * @returns gives it up again, for a container that did not come to be
   * @throws AgentError not-found when the image was removed after it was found
   */
  retain(imageId: string): () => void {
    if (this.#gone.has(imageId)) throw new AgentError("not-found", `use image ${imageId}: it was removed`);
    this.#users.set(imageId, (this.#users.get(imageId) ?? 0) + 1);
    return () => this.release(imageId);
  }

  release(imageId: string): void {
    const left = (this.#users.get(imageId) ?? 0) - 1;
    if (left > 0) return void this.#users.set(imageId, left);
    this.#users.delete(imageId);
    if (this.#images.get(imageId)?.removed === true) void this.collectGarbage();
  }

  /** For a mount: a folder, and in it the layers, topmost first. */
  lowerDirs(image: ImageRecord): { layersDir: string; lowerDirs: string[] } {
    return { layersDir: this.#snapshots.folder, lowerDirs: image.layers.map((layer) => this.#snapshots.name(layer.chainId)).reverse() };
  }

  /** Of the file system with images and writable layers. */
  get mountpoint(): string {
    return this.#mountpoint;
  }

  /** From the records, not from a walk. */
  async fileSystemUsage(): Promise<FileSystemUsage> {
    let [usedBytes, inodesUsed] = [0n, 0n];
    for (const { sizeBytes, inodes } of this.#snapshots.snapshots()) {
      usedBytes += sizeBytes;
      inodesUsed += inodes;
    }
    for (const { sizeBytes } of this.#content.blobs()) {
      usedBytes += sizeBytes;
      inodesUsed += 1n;
    }
    return { mountpoint: this.#mountpoint, usedBytes, inodesUsed, timestampNanos: this.#options.clock.nowNanos() };
  }

  /** For the start, when all containers have said what they use: clears away what a crash left. Failures are in the log. */
  async collectGarbage(): Promise<void> {
    await this.#collect().catch((failure: unknown) =>
      this.#options.log.warn({ err: messageOf(failure) }, "removed images could not be cleared away"),
    );
  }

  async #clearAway(image: ImageRecord): Promise<void> {
    const failures = await this.#collect();
    // What is left of others is told in the log, and tried again with the next removal.
    for (const key of keysOf(image)) if (failures.has(key)) throw failures.get(key);
  }

  #require(text: string): ImageRecord {
    const image = this.find(text);
    if (image === undefined) throw new AgentError("not-found", `image ${JSON.stringify(text.slice(0, 512))} is not on this node`);
    return image;
  }

  #toSave(texts: readonly string[]): ImageToSave[] {
    const chosen = new Map<string, { image: ImageRecord; names: string[] }>();
    for (const text of texts) {
      const image = this.#require(text);
      const entry = chosen.get(image.id) ?? { image, names: [] };
      chosen.set(image.id, entry);
      const name = findNamed([image], text) === undefined ? "" : taggedName(parseReference(text));
      if (image.references.includes(name)) entry.names = [...new Set([...entry.names, name])];
    }
    return [...chosen.values()];
  }

  async #changing<T>(work: () => Promise<T>): Promise<T> {
    return await this.#lock.run("names", work);
  }

  async #build<T>(signal: AbortSignal, work: (place: BuildPlace) => Promise<T>): Promise<T> {
    const lease = this.#leases.open();
    let built = false;
    try {
      const result = await work({ content: this.#content, snapshots: this.#snapshots, lease, signal });
      built = true;
      return result;
    } finally {
      lease.release();
      // What a failed pull brought, and no image has.
      if (!built) await this.collectGarbage();
    }
  }

  async #add(image: BuiltImage, references: readonly string[], repoDigests: readonly string[]): Promise<ImageRecord> {
    return await this.#changing(async () => {
      const before = this.#images.get(image.id);
      const createdAtNanos = before?.createdAtNanos ?? this.#options.clock.nowNanos();
      const names = { references: before?.references ?? [], repoDigests: before?.repoDigests ?? [] };
      return await this.#name(
        { ...image, ...names, createdAtNanos, pinned: before?.pinned ?? false, removed: false },
        references,
        repoDigests,
      );
    });
  }

  /** Adds names to an image; a name is taken from the image that had it. */
  async #name(image: ImageRecord, references: readonly string[], repoDigests: readonly string[]): Promise<ImageRecord> {
    const record: ImageRecord = { ...image, ...withNames(image, references, repoDigests) };
    const others = this.list().filter((other) => other.id !== image.id && other.references.some((name) => references.includes(name)));
    const moved = others.map((other) =>
      this.#images.put({ ...other, references: other.references.filter((name) => !references.includes(name)) }),
    );
    await this.#options.store.commit(this.#images.put(record), ...moved);
    this.#gone.delete(image.id);
    return record;
  }

  /**
   * Clears away removed images that no container uses, and all blobs and layers that nothing needs. What can't be cleared away
   * stops nothing else.
   *
   * @returns the failures, by chain id or digest
   */
  async #collect(): Promise<ReadonlyMap<string, unknown>> {
    await this.#changing(async () => {
      const unused = this.#images.all().filter((image) => image.removed && !this.#users.has(image.id));
      // Said before the record goes, because a container may be made while that is written.
      for (const { id } of unused) this.#gone.add(id);
      if (unused.length > 0) await this.#options.store.commit(...unused.map(({ id }) => this.#images.delete(id)));
    });
    const failures = new Map<string, unknown>();
    const clear = async (store: ContentStore | SnapshotStore, ids: readonly string[]): Promise<void> => {
      for (const id of ids) {
        const needed = (): boolean => this.#leases.isHeld(id) || this.#images.needs(id);
        if (needed()) continue;
        await store.remove(id, needed).catch((failure: unknown) => {
          failures.set(id, failure);
          this.#options.log.warn({ id, err: messageOf(failure) }, "what no image needs could not be cleared away");
        });
      }
    };
    await clear(this.#snapshots, [...this.#snapshots.snapshots()].map(({ id }) => id).reverse());
    await clear(
      this.#content,
      [...this.#content.blobs()].map(({ id }) => id),
    );
    return failures;
  }

  /** An image without all of its layers is not here, whatever took them; it is pulled again when it is next wanted. */
  async #dropBroken(): Promise<void> {
    for (const image of this.list()) {
      const missing = image.layers.find(({ chainId }) => !this.#snapshots.has(chainId));
      if (missing === undefined) continue;
      this.#options.log.warn({ image: image.id, layer: missing.chainId }, "a layer of the image is gone, so the image is too");
      await this.#options.store.commit(this.#images.put({ ...image, references: [], repoDigests: [], removed: true }));
    }
  }
}
