// What images consist of on disk, for whoever compares it with the records: layers and blobs, and how a difference is mended.
import type { ContentStore } from "./content/content-store.ts";
import type { BlobRecord, SnapshotRecord } from "./records.ts";
import type { SnapshotStore } from "./snapshot/snapshot-store.ts";

export class ImageParts {
  readonly #content: ContentStore;
  readonly #snapshots: SnapshotStore;
  readonly #dropBroken: () => Promise<void>;

  /** @param dropBroken forgets images of which a layer is gone */
  constructor(content: ContentStore, snapshots: SnapshotStore, dropBroken: () => Promise<void>) {
    this.#content = content;
    this.#snapshots = snapshots;
    this.#dropBroken = dropBroken;
  }

  snapshots(): SnapshotRecord[] {
    return [...this.#snapshots.snapshots()];
  }

  blobs(): BlobRecord[] {
    return [...this.#content.blobs()];
  }

  /** Whether the layer or blob is being made or removed. */
  isBusy(id: string): boolean {
    return this.#content.isBusy(id) || this.#snapshots.isBusy(id);
  }

  /** Takes away a folder of layers that no record names. */
  async removeSnapshotFolder(name: string): Promise<void> {
    await this.#snapshots.removeStray(name);
  }

  /** Takes away a file of a blob that no record names. */
  async removeBlobFile(digest: string): Promise<void> {
    await this.#content.removeStray(digest);
  }

  /** A layer whose folder is gone is no layer, and an image that had it is no image. */
  async forgetSnapshot(chainId: string): Promise<void> {
    await this.#snapshots.forgetLost(chainId);
    await this.#dropBroken();
  }

  /** A blob whose file is gone, or cut off, is fetched again when it is next wanted. */
  async forgetBlob(digest: string): Promise<void> {
    await this.#content.forgetLost(digest);
  }
}
