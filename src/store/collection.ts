// The records of one kind, in memory as last committed.
import type { Change } from "./change.ts";
import { decodeRecord, encodeRecord } from "./codec.ts";
import type { Row } from "./messages.ts";
import { RecordIndex } from "./record-index.ts";

/** Says what is recorded together with a change. @param before undefined: there was none @param after undefined: it is gone */
type Companion<T> = (before: T | undefined, after: T | undefined) => readonly Change[];

export class Collection<T extends { readonly id: string }> {
  readonly #kind: string;
  readonly #records = new Map<string, T>();
  readonly #indexes: RecordIndex<T>[] = [];
  #companion: Companion<T> = () => [];

  constructor(kind: string, rows: readonly Row[]) {
    this.#kind = kind;
    for (const row of rows) this.#records.set(row.id, decodeRecord(row.text) as T);
  }

  get(id: string): T | undefined {
    return this.#records.get(id);
  }

  values(): IterableIterator<T> {
    return this.#records.values();
  }

  get size(): number {
    return this.#records.size;
  }

  /** Finds records by what `keyOf` says of them, from now on. */
  indexBy(keyOf: (record: T) => string): RecordIndex<T> {
    const index = new RecordIndex(keyOf, this.values());
    this.#indexes.push(index);
    return index;
  }

  /** One companion, given by the module that owns the collection. */
  accompany(companion: Companion<T>): void {
    this.#companion = companion;
  }

  /** The change that stores `record`; give it to `Store.commit`. `published` runs when it is written. */
  put(record: T, published?: (record: T) => void): Change {
    return {
      row: { kind: this.#kind, id: record.id, text: encodeRecord(record) },
      along: () => this.#companion(this.#records.get(record.id), record),
      publish: () => {
        this.#publish(record.id, record);
        published?.(record);
      },
    };
  }

  /** The change that deletes the record; give it to `Store.commit`. */
  delete(id: string, published?: () => void): Change {
    return {
      row: { kind: this.#kind, id, text: undefined },
      along: () => {
        const before = this.#records.get(id);
        return before === undefined ? [] : this.#companion(before, undefined);
      },
      publish: () => {
        this.#publish(id, undefined);
        published?.();
      },
    };
  }

  #publish(id: string, after: T | undefined): void {
    const before = this.#records.get(id);
    if (after === undefined) this.#records.delete(id);
    else this.#records.set(id, after);
    if (before === undefined && after === undefined) return;
    for (const index of this.#indexes) index.changed(before, after);
  }
}
