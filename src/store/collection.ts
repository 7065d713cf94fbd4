// The records of one kind, in memory as last committed.
import type { Change } from "./change.ts";
import { decodeRecord, encodeRecord } from "./codec.ts";
import type { Row } from "./messages.ts";

/** Told of each change when it is durable. @param before undefined: there was none @param after undefined: it is gone */
type Observer<T> = (before: T | undefined, after: T | undefined) => void;

export class Collection<T extends { readonly id: string }> {
  readonly #kind: string;
  readonly #records = new Map<string, T>();
  #observer: Observer<T> | undefined;

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

  /** One observer, given by the module that owns the collection. */
  watch(observer: Observer<T>): void {
    this.#observer = observer;
  }

  /** The change that stores `record`; give it to `Store.commit`. `published` runs when it is durable. */
  put(record: T, published?: (record: T) => void): Change {
    return {
      row: { kind: this.#kind, id: record.id, text: encodeRecord(record) },
      publish: () => {
        const before = this.#records.get(record.id);
        this.#records.set(record.id, record);
        this.#observer?.(before, record);
        published?.(record);
      },
    };
  }

  /** The change that deletes the record; give it to `Store.commit`. */
  delete(id: string, published?: () => void): Change {
    return {
      row: { kind: this.#kind, id, text: undefined },
      publish: () => {
        const before = this.#records.get(id);
        this.#records.delete(id);
        if (before !== undefined) this.#observer?.(before, undefined);
        published?.();
      },
    };
  }
}
