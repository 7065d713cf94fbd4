// Who uses images now, and when each was last used. Kept beside the images' own records, so that a use and a change of names can't
// undo each other.
import { AgentError } from "../base/errors.ts";
import type { Change } from "../store/change.ts";
import type { Collection } from "../store/collection.ts";
import type { Store } from "../store/store.ts";
import type { ImageRecord } from "./records.ts";

interface UseRecord {
  readonly id: string; // the image's
  readonly lastUsedAtNanos: bigint;
}

export class ImageUse {
  readonly #records: Collection<UseRecord>;
  /** As the records will have it: a use counts before it is written. */
  readonly #lastUsed = new Map<string, bigint>();
  /** by image id: how many containers use it */
  readonly #users = new Map<string, number>();
  /** Images whose record is gone, or going: nobody may begin to use them. */
  readonly #barred = new Set<string>();

  constructor(store: Store) {
    this.#records = store.collection<UseRecord>("image-use");
    for (const { id, lastUsedAtNanos } of this.#records.values()) this.#lastUsed.set(id, lastUsedAtNanos);
  }

  /** @throws AgentError not-found when the image was removed after it was found */
  begin(imageId: string): void {
    if (this.#barred.has(imageId)) throw new AgentError("not-found", `use image ${imageId}: it was removed`);
    this.#users.set(imageId, (this.#users.get(imageId) ?? 0) + 1);
  }

  /** @returns whether that was its last user */
  end(imageId: string): boolean {
    const left = (this.#users.get(imageId) ?? 0) - 1;
    if (left > 0) this.#users.set(imageId, left);
    else this.#users.delete(imageId);
    return left <= 0;
  }

  has(imageId: string): boolean {
    return this.#users.has(imageId);
  }

  bar(imageId: string): void {
    this.#barred.add(imageId);
  }

  unbar(imageId: string): void {
    this.#barred.delete(imageId);
  }

  /** @returns what makes it durable */
  usedAt(imageId: string, lastUsedAtNanos: bigint): Change {
    this.#lastUsed.set(imageId, lastUsedAtNanos);
    return this.#records.put({ id: imageId, lastUsedAtNanos });
  }

  forget(imageId: string): Change {
    this.#lastUsed.delete(imageId);
    return this.#records.delete(imageId);
  }

  /** When its last container went, or it was last pulled or loaded. What is in use has none that counts. */
  lastUsedAtNanos({ id, createdAtNanos }: ImageRecord): bigint {
    return this.#lastUsed.get(id) ?? createdAtNanos;
  }
}
