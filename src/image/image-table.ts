// The records of images, with what they need of layers and blobs counted, so that finding out costs no search.
import type { Collection } from "../store/collection.ts";
import type { Change } from "../store/change.ts";
import type { Store } from "../store/store.ts";
import type { ImageRecord } from "./records.ts";

export class ImageTable {
  readonly #records: Collection<ImageRecord>;
  readonly #needs = new Map<string, number>();

  constructor(store: Store) {
    this.#records = store.collection<ImageRecord>("image");
    for (const image of this.#records.values()) this.#count(image, 1);
  }

  get(id: string): ImageRecord | undefined {
    return this.#records.get(id);
  }

  /** Removed ones among them. */
  all(): ImageRecord[] {
    return [...this.#records.values()];
  }

  /** Those that have not been removed. */
  list(): ImageRecord[] {
    return this.all().filter((image) => !image.removed);
  }

  /** @param key a chain id, or the digest of a blob */
  needs(key: string): boolean {
    return this.#needs.has(key);
  }

  put(image: ImageRecord): Change {
    const change = this.#records.put(image);
    return { row: change.row, publish: () => this.#replace(image.id, image, change.publish) };
  }

  delete(id: string): Change {
    const change = this.#records.delete(id);
    return { row: change.row, publish: () => this.#replace(id, undefined, change.publish) };
  }

  #replace(id: string, image: ImageRecord | undefined, publish: () => void): void {
    const before = this.#records.get(id);
    publish();
    if (image !== undefined) this.#count(image, 1);
    if (before !== undefined) this.#count(before, -1);
  }

  #count(image: ImageRecord, by: number): void {
    for (const key of keysOf(image)) {
      const count = (this.#needs.get(key) ?? 0) + by;
      if (count > 0) this.#needs.set(key, count);
      else this.#needs.delete(key);
    }
  }
}

/** The chain ids and digests an image needs. A removed one stays for containers, and they need its layers only. */
export function keysOf(image: ImageRecord): Set<string> {
  const chains = image.layers.map(({ chainId }) => chainId);
  if (image.removed) return new Set(chains);
  const named = image.repoDigests.map((repoDigest) => repoDigest.slice(repoDigest.indexOf("@") + 1));
  return new Set([...chains, image.id, image.manifestDigest, ...image.layers.map(({ digest }) => digest), ...named]);
}
