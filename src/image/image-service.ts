// Images on this node: pulled, loaded, saved, removed. Layers and blobs are shared, and go when no image, no container and nothing
// under way needs them.
import { createHash } from "node:crypto";
import type { Activities } from "../base/activity.ts";
import type { Clock } from "../base/clock.ts";
import { AgentError, during, messageOf } from "../base/errors.ts";
import type { InHand } from "../base/in-hand.ts";
import type { Log } from "../base/log.ts";
import type { Helper } from "../native-client/helper.ts";
import type { Store } from "../store/store.ts";
import { AbortableCalls } from "./abortable-calls.ts";
import type { BuildPlace } from "./build-image.ts";
import { ContentStore } from "./content/content-store.ts";
import { findNamed } from "./find-image.ts";
import { ImageCatalog } from "./image-catalog.ts";
import { ImageParts } from "./image-parts.ts";
import { keysOf } from "./image-table.ts";
import { Leases } from "./leases.ts";
import { archivesFolder, loadArchive } from "./load-archive.ts";
import { type Mount, mountOf } from "./mountpoint.ts";
import { freedByRemoving, type ImageUsage } from "./plan-image-gc.ts";
import { pullImage } from "./pull-image.ts";
import { PullProgress } from "./pull-progress.ts";
import type { ImageRecord } from "./records.ts";
import { parseReference, repository, taggedName } from "./reference.ts";
import { checkCredentials } from "./registry/check-credentials.ts";
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
  readonly activities: Activities;
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
  readonly #catalog: ImageCatalog;
  readonly #content: ContentStore;
  readonly #snapshots: SnapshotStore;
  readonly #mount: Mount;
  readonly #pulling = new AbortableCalls<ImageRecord>();
  readonly #leases = new Leases();
  /** by the key of the pull */
  readonly #progress = new Map<string, PullProgress>();
  #onBrought = (): void => {};

  private constructor(options: ImageOptions, content: ContentStore, snapshots: SnapshotStore, mount: Mount) {
    this.#options = options;
    this.#catalog = new ImageCatalog(options.store, options.clock);
    this.#content = content;
    this.#snapshots = snapshots;
    this.#mount = mount;
    this.parts = new ImageParts(content, snapshots, () => this.#dropBroken());
  }

  static async open(options: ImageOptions): Promise<ImageService> {
    const { root, store, helper, log, inHand } = options;
    const content = await ContentStore.open(root, store, inHand);
    const snapshots = await SnapshotStore.open({ root, store, helper, log });
    await helper
      .removeTree(archivesFolder(root))
      .catch((failure: unknown) => log.warn({ err: messageOf(failure) }, "the remains of an archive could not be cleared away"));
    const service = new ImageService(options, content, snapshots, await mountOf(root));
    await service.#dropBroken();
    return service;
  }

  async pull(text: string, auth: RegistryAuth | undefined, signal: AbortSignal): Promise<ImageRecord> {
    return await this.startPull(text, auth, signal).image;
  }

  /**
   * Two who pull the same name at the same time share one pull; it ends early only when both have gone away.
   *
   * @throws AgentError invalid-argument for what is no name; all other failures are those of `image`
   */
  startPull(text: string, auth: RegistryAuth | undefined, signal: AbortSignal): { image: Promise<ImageRecord>; progress: PullProgress } {
    const reference = parseReference(text);
    // Credentials are part of the key: who may not read an image must not get it by asking at the right moment.
    const key = createHash("sha256")
      .update(JSON.stringify([reference, auth]))
      .digest("hex");
    const image = this.#pulling.join(key, signal, async (shared) => {
      const progress = new PullProgress();
      this.#progress.set(key, progress);
      try {
        await during(`pull ${text}`, () => this.#options.store.requireRoom());
        return await this.#build(
          "PullImage",
          [text, taggedName(reference)],
          shared,
          async (place) => {
            const { image, digest } = await pullImage(reference, this.#options.registryConfigDir, auth, place);
            const names = reference.digest === "" ? [taggedName(reference)] : [];
            return await this.#catalog.add(image, names, [`${repository(reference)}@${digest}`]);
          },
          progress,
        );
      } finally {
        progress.end();
        // A pull that was given up may end after the next one of its name has begun.
        if (this.#progress.get(key) === progress) this.#progress.delete(key);
      }
    });
    // One that was given up before it began has none.
    const progress = this.#progress.get(key) ?? new PullProgress();
    if (!this.#progress.has(key)) progress.end();
    return { image, progress };
  }

  /** @returns false when the registry lets everybody in, and has not looked at them @throws AgentError failed-precondition for wrong ones */
  async checkCredentials(registry: string, auth: RegistryAuth, signal: AbortSignal): Promise<boolean> {
    return await checkCredentials(registry, this.#options.registryConfigDir, auth, signal);
  }

  /** @param tarPath below --root */
  async loadArchive(tarPath: string, signal: AbortSignal): Promise<ImageRecord[]> {
    return await this.#build("LoadImage", [], signal, async (place) => {
      // A layout has an entry for each name of an image.
      const records = new Map<string, ImageRecord>();
      for (const { image, references } of await loadArchive(tarPath, this.#options, place)) {
        records.set(image.id, await this.#catalog.add(image, references, []));
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

  /** @param listener is called after each pull and load, in place of the one before */
  onBrought(listener: () => void): void {
    this.#onBrought = listener;
  }

  list(): ImageRecord[] {
    return this.#catalog.list();
  }

  /** By name, by digest, by id or by the beginning of an id. */
  find(text: string): ImageRecord | undefined {
    return this.#catalog.find(text);
  }

  /** By id, also one that was removed and is still used by a container. @throws AgentError not-found */
  get(id: string): ImageRecord {
    const image = this.#catalog.get(id);
    if (image === undefined) throw new AgentError("not-found", `find image: no image has id ${id}`);
    return image;
  }

  /** @param target is taken from the image that had it @throws AgentError not-found, invalid-argument */
  async tag(source: string, target: string): Promise<ImageRecord> {
    return await this.#catalog.tag(source, target);
  }

  /**
   * Takes one name away, and the image with its last one.
   *
   * @param keepLast leaves a last name as it is
   * @throws AgentError not-found
   */
  async untag(text: string, keepLast: boolean): Promise<{ image: ImageRecord; wasLast: boolean }> {
    return await during(`untag image ${text}`, async () => {
      const untagged = await this.#catalog.untag(text, keepLast);
      if (untagged.wasLast && !keepLast) await this.#clearAway(untagged.image);
      return untagged;
    });
  }

  /** Takes all names of the image away. What containers use of it stays until they are gone. A missing image is success. */
  async remove(text: string): Promise<void> {
    await during(`remove image ${text}`, async () => {
      const image = await this.#catalog.remove(text);
      if (image !== undefined) await this.#clearAway(image);
    });
  }

  /** Removes an image unless a container uses it or it is pinned. @returns what was removed */
  async removeUnused(id: string): Promise<ImageRecord | undefined> {
    return await during(`remove image ${id}`, async () => {
      const image = await this.#catalog.removeUnused(id);
      if (image !== undefined) await this.#clearAway(image);
      return image;
    });
  }

  /**
   * Removes those of the images that no container uses and that are not pinned.
   *
   * @param dryRun nothing goes; what is told is as if no container used any of them
   * @returns in the order given, with what goes with each
   */
  async prune(ids: readonly string[], dryRun: boolean): Promise<{ image: ImageRecord; freedBytes: bigint }[]> {
    const all = this.usage();
    const going = [...new Set(ids)].flatMap((id) => all.filter((each) => each.id === id));
    const pruned: { image: ImageRecord; freedBytes: bigint }[] = [];
    for (const { id, freedBytes } of freedByRemoving(going, all)) {
      const image = dryRun ? this.list().find((each) => each.id === id && !each.pinned) : await this.removeUnused(id);
      if (image !== undefined) pruned.push({ image, freedBytes });
    }
    return pruned;
  }

  /** What each image has on disk and when it was last used, also of those that were removed and that containers still use. */
  usage(): ImageUsage[] {
    const { use } = this.#catalog;
    const sizes = new Map([...this.#snapshots.snapshots(), ...this.#content.blobs()].map(({ id, sizeBytes }) => [id, sizeBytes]));
    return this.#catalog.all().map((image) => ({
      id: image.id,
      lastUsedAtMs: Number(use.lastUsedAtNanos(image) / 1_000_000n),
      keep: image.removed || image.pinned || use.has(image.id),
      parts: new Map([...keysOf(image)].map((key) => [key, sizes.get(key) ?? 0n])),
    }));
  }

  /**
   * A container uses the image from now on.
   *
   * @returns gives it up again, for a container that did not come to be
   * @throws AgentError not-found when the image was removed after it was found
   */
  retain(imageId: string): () => void {
    this.#catalog.use.begin(imageId);
    return () => this.release(imageId);
  }

  release(imageId: string): void {
    const { use } = this.#catalog;
    const { store, clock, log } = this.#options;
    const image = this.#catalog.get(imageId);
    if (!use.end(imageId) || image === undefined) return;
    if (image.removed) return void this.collectGarbage();
    // Nobody waits for it: a use that a crash takes back makes the image look older than it is, and no more.
    store
      .commit(use.usedAt(imageId, clock.nowNanos()))
      .catch((failure: unknown) => log.warn({ image: imageId, err: messageOf(failure) }, "the use of an image is not recorded"));
  }

  /** For a mount: a folder, and in it the layers, topmost first. */
  lowerDirs(image: ImageRecord): { layersDir: string; lowerDirs: string[] } {
    return { layersDir: this.#snapshots.folder, lowerDirs: image.layers.map((layer) => this.#snapshots.name(layer.chainId)).reverse() };
  }

  /** Of the file system with images and writable layers. */
  get mountpoint(): string {
    return this.#mount.mountpoint;
  }

  get device(): string {
    return this.#mount.device;
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
    return { mountpoint: this.mountpoint, usedBytes, inodesUsed, timestampNanos: this.#options.clock.nowNanos() };
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

  #toSave(texts: readonly string[]): ImageToSave[] {
    const chosen = new Map<string, { image: ImageRecord; names: string[] }>();
    for (const text of texts) {
      const image = this.#catalog.require(text);
      const entry = chosen.get(image.id) ?? { image, names: [] };
      chosen.set(image.id, entry);
      const name = findNamed([image], text) === undefined ? "" : taggedName(parseReference(text));
      if (image.references.includes(name)) entry.names = [...new Set([...entry.names, name])];
    }
    return [...chosen.values()];
  }

  async #build<T>(
    call: string,
    names: readonly string[],
    signal: AbortSignal,
    work: (place: BuildPlace) => Promise<T>,
    progress = new PullProgress(),
  ): Promise<T> {
    const subject = { objectId: names.at(-1) ?? "", names };
    return await this.#options.activities.during(call, subject, (show) => this.#buildWith({ show, signal, progress }, work));
  }

  async #buildWith<T>(asked: Pick<BuildPlace, "show" | "signal" | "progress">, work: (place: BuildPlace) => Promise<T>): Promise<T> {
    const lease = this.#leases.open();
    let built = false;
    try {
      const result = await work({ content: this.#content, snapshots: this.#snapshots, lease, ...asked });
      built = true;
      this.#onBrought();
      return result;
    } finally {
      lease.release();
      // What a failed pull brought, and no image has.
      if (!built) await this.collectGarbage();
    }
  }

  /**
   * Clears away removed images that no container uses, and all blobs and layers that nothing needs. What can't be cleared away
   * stops nothing else.
   *
   * @returns the failures, by chain id or digest
   */
  async #collect(): Promise<ReadonlyMap<string, unknown>> {
    await this.#catalog.forgetUnused();
    const failures = new Map<string, unknown>();
    const clear = async (store: ContentStore | SnapshotStore, ids: readonly string[]): Promise<void> => {
      for (const id of ids) {
        const needed = (): boolean => this.#leases.isHeld(id) || this.#catalog.needs(id);
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
      await this.#catalog.remove(image.id);
    }
  }
}
