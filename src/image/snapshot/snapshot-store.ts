// Layers unpacked, one folder each in <root>/snapshots, shared by all images that have them. A record stands before its
// folder is made and until after it is gone; only what it calls committed is whole.
import { lstat, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { AgentError, messageOf } from "../../base/errors.ts";
import { KeyedLock } from "../../base/keyed-lock.ts";
import type { Log } from "../../base/log.ts";
import type { Compression } from "../../generated/berth/native/helper.ts";
import type { Helper } from "../../native-client/helper.ts";
import type { Collection } from "../../store/collection.ts";
import type { Store } from "../../store/store.ts";
import { throwIfAborted } from "../abortable-calls.ts";
import type { LayerRef, SnapshotRecord } from "../records.ts";

export interface SnapshotOptions {
  readonly root: string;
  readonly store: Store;
  readonly helper: Helper;
  readonly log: Log;
}

export class SnapshotStore {
  readonly folder: string;
  readonly #options: SnapshotOptions;
  readonly #records: Collection<SnapshotRecord>;
  readonly #lock = new KeyedLock();
  #lastNumber = 0;

  private constructor(options: SnapshotOptions) {
    this.folder = join(options.root, "snapshots");
    this.#options = options;
    this.#records = options.store.collection<SnapshotRecord>("snapshot");
    for (const { number } of this.#records.values()) this.#lastNumber = Math.max(this.#lastNumber, number);
  }

  /** Clears away what was being unpacked or removed when berthd ended, and forgets layers whose folder is gone. */
  static async open(options: SnapshotOptions): Promise<SnapshotStore> {
    const snapshots = new SnapshotStore(options);
    // Containers that run as another user of the host pass through here.
    await mkdir(snapshots.folder, { recursive: true, mode: 0o711 });
    for (const record of [...snapshots.#records.values()]) {
      const folder = record.state === "committed" ? await lstat(snapshots.#path(record)).catch(() => undefined) : undefined;
      if (folder?.isDirectory() === true) continue;
      // Tried again when the layer is next wanted; until then it is not there, and that is no reason not to start.
      await snapshots
        .#erase(record)
        .catch((failure: unknown) =>
          options.log.warn({ layer: record.id, err: messageOf(failure) }, "a layer's remains could not be cleared away"),
        );
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
    if (record?.state !== "committed") throw new AgentError("not-found", `find layer ${chainId}: it is not unpacked`);
    return String(record.number);
  }

  /**
   * Unpacks a layer unless that was done; who asks for the same one meanwhile waits for it, and does it himself when it failed.
   *
   * @param bring brings the packed layer when it is needed, and has it unpacked
   */
  async prepare(
    layer: LayerRef,
    compression: Compression,
    signal: AbortSignal,
    bring: (unpack: (blobPath: string) => Promise<void>) => Promise<void>,
  ): Promise<void> {
    await this.#lock.run(layer.chainId, async () => {
      throwIfAborted(signal);
      const before = this.#records.get(layer.chainId);
      if (before?.state === "committed") return;
      if (before !== undefined) await this.#erase(before);
      await bring(async (blobPath) => {
        throwIfAborted(signal);
        await this.#unpack(layer, compression, blobPath);
      });
    });
  }

  /** @param needed asked at the last moment: who means to use a layer says so before `prepare` */
  async remove(chainId: string, needed: () => boolean): Promise<void> {
    await this.#lock.run(chainId, async () => {
      const record = this.#records.get(chainId);
      if (record !== undefined && !needed()) await this.#erase(record);
    });
  }

  isBusy(chainId: string): boolean {
    return this.#lock.isHeld(chainId);
  }

  /** Takes a folder away that no record speaks of. @param name of an entry of `folder` */
  async removeStray(name: string): Promise<void> {
    const number = /^\d{1,15}$/.test(name) ? Number(name) : 0;
    // Before looking, so that no layer can come to have this number while its folder is taken away.
    this.#lastNumber = Math.max(this.#lastNumber, number);
    if (![...this.#records.values()].some((record) => String(record.number) === name))
      await this.#options.helper.removeTree(join(this.folder, name));
  }

  /** Forgets a layer whose folder is gone. */
  async forgetLost(chainId: string): Promise<void> {
    await this.#lock.run(chainId, async () => {
      const record = this.#records.get(chainId);
      const folder = record?.state === "committed" ? await lstat(this.#path(record)).catch(() => undefined) : undefined;
      if (record !== undefined && folder?.isDirectory() !== true) await this.#erase(record);
    });
  }

  async #erase(record: SnapshotRecord): Promise<void> {
    const { store, helper } = this.#options;
    // Half a layer must never be taken for a whole one.
    if (record.state === "committed") await store.commit(this.#records.put({ ...record, state: "removing" }));
    await helper.removeTree(this.#path(record));
    await store.commit(this.#records.delete(record.id));
  }

  async #unpack(layer: LayerRef, compression: Compression, blobPath: string): Promise<void> {
    const { store, helper, log } = this.#options;
    const preparing: SnapshotRecord = { id: layer.chainId, number: ++this.#lastNumber, state: "preparing", sizeBytes: 0n, inodes: 0n };
    await store.commitNew(this.#records.put(preparing));
    try {
      const bounds = { maxBytes: 0n, maxEntries: 0n, maxRatio: 0 };
      // Synced, because the record must not be durable before what it speaks of.
      const unpacked = await helper.unpackLayer({
        blobPath,
        targetDir: this.#path(preparing),
        compression,
        ...bounds,
        plainArchive: false,
        sync: true,
      });
      if (unpacked.diffId !== layer.diffId) {
        throw new AgentError(
          "invalid-argument",
          `unpack layer ${layer.digest}: its content is ${unpacked.diffId}, and the config says ${layer.diffId}`,
        );
      }
      const { sizeBytes, inodes } = unpacked;
      await store.commit(this.#records.put({ ...preparing, state: "committed", sizeBytes, inodes }));
    } catch (failure) {
      await this.#erase(preparing).catch((also: unknown) =>
        log.warn({ layer: layer.chainId, err: messageOf(also) }, "half a layer stays until it is asked for again"),
      );
      throw failure;
    }
  }

  #path(record: SnapshotRecord): string {
    return join(this.folder, String(record.number));
  }
}
