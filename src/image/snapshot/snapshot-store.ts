// Layers unpacked, one folder each in <root>/snapshots, shared by all images that have them. A record stands before its
// folder is made, and until after it is gone.
import { join } from "node:path";
import { AgentError } from "../../base/errors.ts";
import { CallsInFlight } from "../../base/join-calls.ts";
import type { Compression } from "../../generated/berth/native/helper.ts";
import type { Helper } from "../../native-client/helper.ts";
import type { Collection } from "../../store/collection.ts";
import type { Store } from "../../store/store.ts";
import type { LayerRef, SnapshotRecord } from "../records.ts";

export class SnapshotStore {
  readonly folder: string;
  readonly #store: Store;
  readonly #helper: Helper;
  readonly #records: Collection<SnapshotRecord>;
  readonly #preparing = new CallsInFlight<void>();
  #lastNumber = 0;

  private constructor(root: string, store: Store, helper: Helper) {
    this.folder = join(root, "snapshots");
    this.#store = store;
    this.#helper = helper;
    this.#records = store.collection<SnapshotRecord>("snapshot");
    for (const { number } of this.#records.values()) this.#lastNumber = Math.max(this.#lastNumber, number);
  }

  static async open(root: string, store: Store, helper: Helper): Promise<SnapshotStore> {
    const snapshots = new SnapshotStore(root, store, helper);
    // What was being unpacked when berthd ended.
    for (const { id, state } of [...snapshots.#records.values()]) {
      if (state === "preparing") await snapshots.remove(id);
    }
    return snapshots;
  }

  has(chainId: string): boolean {
    return this.#records.get(chainId)?.state === "committed";
  }

  snapshots(): IterableIterator<SnapshotRecord> {
    return this.#records.values();
  }

  /** The layer's folder, relative to `folder`. @throws AgentError not-found */
  name(chainId: string): string {
    const record = this.#records.get(chainId);
    if (record === undefined) throw new AgentError("not-found", `find layer ${chainId}: it is not unpacked`);
    return String(record.number);
  }

  /** Unpacks a layer unless that was done; two who ask at the same time share the work. @param blobPath brings the packed layer when it is needed */
  async prepare(layer: LayerRef, compression: Compression, blobPath: () => Promise<string>): Promise<void> {
    if (this.has(layer.chainId)) return;
    await this.#preparing.join(layer.chainId, () => this.#unpack(layer, compression, blobPath));
  }

  async remove(chainId: string): Promise<void> {
    const record = this.#records.get(chainId);
    if (record === undefined) return;
    await this.#helper.removeTree(this.#path(record));
    await this.#store.commit(this.#records.delete(chainId));
  }

  async #unpack(layer: LayerRef, compression: Compression, blobPath: () => Promise<string>): Promise<void> {
    const path = await blobPath();
    const preparing: SnapshotRecord = { id: layer.chainId, number: ++this.#lastNumber, state: "preparing", sizeBytes: 0n, inodes: 0n };
    await this.#store.commit(this.#records.put(preparing));
    try {
      const unpacked = await this.#helper.unpackLayer({
        blobPath: path,
        targetDir: this.#path(preparing),
        compression,
        maxBytes: 0n,
        maxEntries: 0n,
        maxRatio: 0,
        plainArchive: false,
        // The record must not be durable before what it speaks of.
        sync: true,
      });
      if (unpacked.diffId !== layer.diffId) {
        throw new AgentError("invalid-argument", `unpack layer ${layer.digest}: its content is ${unpacked.diffId}, and the config says ${layer.diffId}`);
      }
      const { sizeBytes, inodes } = unpacked;
      await this.#store.commit(this.#records.put({ ...preparing, state: "committed", sizeBytes, inodes }));
    } catch (failure) {
      await this.remove(layer.chainId);
      throw failure;
    }
  }

  #path(record: SnapshotRecord): string {
    return join(this.folder, String(record.number));
  }
}
