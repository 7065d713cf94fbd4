// Images on this node: pulled, loaded, found, removed. Layers and blobs are shared, and go when nobody needs them.
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import { AgentError, during, messageOf } from "../base/errors.ts";
import { CallsInFlight } from "../base/join-calls.ts";
import type { Log } from "../base/log.ts";
import { Compression } from "../generated/berth/native/helper.ts";
import type { Helper } from "../native-client/helper.ts";
import type { Collection } from "../store/collection.ts";
import type { Store } from "../store/store.ts";
import type { BuiltImage } from "./build-image.ts";
import { ContentStore } from "./content/content-store.ts";
import { findImage } from "./find-image.ts";
import { loadUnpacked } from "./load-archive.ts";
import { pullImage } from "./pull-image.ts";
import type { ImageRecord } from "./records.ts";
import { parseReference, repository, taggedName } from "./reference.ts";
import type { RegistryAuth } from "./registry/auth.ts";
import { SnapshotStore } from "./snapshot/snapshot-store.ts";

export { isRegistryUnavailable } from "./pull-image.ts";
export type { ImageRecord } from "./records.ts";
export type { RegistryAuth } from "./registry/auth.ts";

export interface ImageOptions {
  readonly root: string;
  readonly store: Store;
  readonly helper: Helper;
  readonly registryConfigDir: string;
  readonly log: Log;
  readonly clock: Clock;
}

export interface FileSystemUsage {
  readonly mountpoint: string;
  readonly usedBytes: bigint;
  readonly inodesUsed: bigint;
  readonly timestampNanos: bigint;
}

export class ImageService {
  readonly #options: ImageOptions;
  readonly #records: Collection<ImageRecord>;
  readonly #content: ContentStore;
  readonly #snapshots: SnapshotStore;
  readonly #mountpoint: string;
  readonly #pulling = new CallsInFlight<ImageRecord>();
  /** by image id: how many containers use it */
  readonly #users = new Map<string, number>();
  /** Pulls and loads under way: what they have brought so far belongs to no image yet. */
  #building = 0;

  private constructor(options: ImageOptions, content: ContentStore, snapshots: SnapshotStore, mountpoint: string) {
    this.#options = options;
    this.#records = options.store.collection<ImageRecord>("image");
    this.#content = content;
    this.#snapshots = snapshots;
    this.#mountpoint = mountpoint;
  }

  static async open(options: ImageOptions): Promise<ImageService> {
    const content = await ContentStore.open(options.root, options.store);
    const snapshots = await SnapshotStore.open(options.root, options.store, options.helper);
    await options.helper.removeTree(join(options.root, "archives"));
    return new ImageService(options, content, snapshots, await mountpointOf(options.root));
  }

  /** Two who pull the same name at the same time share one pull. */
  async pull(text: string, auth: RegistryAuth | undefined, signal: AbortSignal): Promise<ImageRecord> {
    const reference = parseReference(text);
    // Credentials are part of the key: who may not read an image must not get it by asking at the right moment.
    return await this.#pulling.join(JSON.stringify([reference, auth]), () =>
      this.#build(async () => {
        const { registryConfigDir } = this.#options;
        const { image, digest } = await pullImage(reference, { registryConfigDir, content: this.#content, snapshots: this.#snapshots, auth, signal });
        return await this.#add(image, reference.digest === "" ? [taggedName(reference)] : [], [`${repository(reference)}@${digest}`]);
      }),
    );
  }

  /** @param tarPath below --root */
  async loadArchive(tarPath: string): Promise<ImageRecord[]> {
    const { helper, root } = this.#options;
    const folder = join(root, "archives", randomBytes(8).toString("hex"));
    return await this.#build(async () => {
      try {
        const bounds = { maxBytes: 0n, maxEntries: 0n, maxRatio: 0 };
        await helper.unpackLayer({ blobPath: tarPath, targetDir: folder, compression: Compression.COMPRESSION_NONE, ...bounds, plainArchive: true, sync: false });
        const loaded = await loadUnpacked(folder, this.#content, this.#snapshots);
        const records: ImageRecord[] = [];
        for (const { image, references } of loaded) records.push(await this.#add(image, references, []));
        return records;
      } finally {
        await helper.removeTree(folder);
      }
    });
  }

  list(): ImageRecord[] {
    return [...this.#records.values()].filter((image) => !image.removed);
  }

  /** By name, by digest, by id or by the beginning of an id. */
  find(text: string): ImageRecord | undefined {
    const exact = this.#records.get(text);
    return exact === undefined ? findImage(this.list(), text) : exact.removed ? undefined : exact;
  }

  /** By id, also one that was removed and is still used by a container. @throws AgentError not-found */
  get(id: string): ImageRecord {
    const image = this.#records.get(id);
    if (image === undefined) throw new AgentError("not-found", `find image: no image has id ${id}`);
    return image;
  }

  /** Takes all names of the image away. What containers use of it stays until they are gone. A missing image is success. */
  async remove(text: string): Promise<void> {
    const image = this.find(text);
    if (image === undefined) return;
    await during(`remove image ${image.id}`, async () => {
      if ((this.#users.get(image.id) ?? 0) > 0) {
        await this.#options.store.commit(this.#records.put({ ...image, references: [], repoDigests: [], removed: true }));
        return;
      }
      await this.#options.store.commit(this.#records.delete(image.id));
      await this.#collect();
    });
  }

  /** A container uses the image from now on. @returns gives it up again, for a container that did not come to be */
  retain(imageId: string): () => void {
    this.#users.set(imageId, (this.#users.get(imageId) ?? 0) + 1);
    return () => this.release(imageId);
  }

  release(imageId: string): void {
    const left = (this.#users.get(imageId) ?? 0) - 1;
    if (left > 0) return void this.#users.set(imageId, left);
    this.#users.delete(imageId);
    if (this.#records.get(imageId)?.removed !== true) return;
    void this.#options.store
      .commit(this.#records.delete(imageId))
      .then(() => this.#collect())
      .catch((failure: unknown) => this.#options.log.warn({ imageId, err: messageOf(failure) }, "a removed image could not be cleared away"));
  }

  /** For a mount: a folder, and in it the layers, topmost first. */
  lowerDirs(image: ImageRecord): { layersDir: string; lowerDirs: string[] } {
    return { layersDir: this.#snapshots.folder, lowerDirs: image.layers.map((layer) => this.#snapshots.name(layer.chainId)).reverse() };
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

  async #build<T>(work: () => Promise<T>): Promise<T> {
    this.#building++;
    try {
      return await work();
    } finally {
      this.#building--;
      // What a failed pull brought, and no image has.
      await this.#collect().catch((failure: unknown) => this.#options.log.warn({ err: messageOf(failure) }, "what no image needs could not be cleared away"));
    }
  }

  /** Adds names to an image; a name is taken from the image that had it. */
  async #add(image: BuiltImage, references: readonly string[], repoDigests: readonly string[]): Promise<ImageRecord> {
    const before = this.#records.get(image.id);
    const others = this.list().filter((other) => other.id !== image.id && other.references.some((name) => references.includes(name)));
    const record: ImageRecord = {
      ...image,
      references: union(before?.references ?? [], references),
      repoDigests: union(before?.repoDigests ?? [], repoDigests),
      createdAtNanos: before?.createdAtNanos ?? this.#options.clock.nowNanos(),
      pinned: before?.pinned ?? false,
      removed: false,
    };
    const moved = others.map((other) => this.#records.put({ ...other, references: other.references.filter((name) => !references.includes(name)) }));
    await this.#options.store.commit(this.#records.put(record), ...moved);
    return record;
  }

  /** Clears away blobs and layers of no image. While something is being brought, all of it may be part of that. */
  async #collect(): Promise<void> {
    if (this.#building > 0) return;
    const images = [...this.#records.values()];
    const chains = new Set(images.flatMap((image) => image.layers.map((layer) => layer.chainId)));
    const blobs = new Set(images.flatMap((image) => [image.id, image.manifestDigest, ...image.layers.map((layer) => layer.digest), ...image.repoDigests.map(digestOf)]));
    for (const { id } of [...this.#snapshots.snapshots()]) if (!chains.has(id)) await this.#snapshots.remove(id);
    for (const { id } of [...this.#content.blobs()]) if (!blobs.has(id)) await this.#content.remove(id);
  }
}

const union = (a: readonly string[], b: readonly string[]): string[] => [...new Set([...a, ...b])].filter((each) => each !== "");
const digestOf = (repoDigest: string): string => repoDigest.slice(repoDigest.indexOf("@") + 1);

/** The mount that a folder is on, as the kubelet looks for it. */
async function mountpointOf(folder: string): Promise<string> {
  const table = await readFile("/proc/self/mountinfo", "utf8");
  const places = table.split("\n").map((line) => line.split(" ")[4] ?? "");
  const above = places.filter((place) => place === "/" || folder === place || (place !== "" && folder.startsWith(`${place}/`)));
  return above.sort((a, b) => b.length - a.length)[0] ?? "/";
}
