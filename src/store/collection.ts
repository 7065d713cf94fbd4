// The records of one kind, in memory as last committed.
import type { Change } from "./change.ts";
import { decodeRecord, encodeRecord } from "./codec.ts";
import type { Row } from "./messages.ts";

export class Collection<T extends { readonly id: string }> {
  readonly #kind: string;
  readonly #records = new Map<string, T>();

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

  /** The change that stores `record`; give it to `Store.commit`. `published` runs when it is durable. */
  put(record: T, published?: (record: T) => void): Change {
    return {
      row: { kind: this.#kind, id: record.id, text: encodeRecord(record) },
      publish: () => {
        this.#records.set(record.id, record);
        published?.(record);
      },
    };
  }

  /** The change that deletes the record; give it to `Store.commit`. */
  delete(id: string, published?: () => void): Change {
    return {
      row: { kind: this.#kind, id, text: undefined },
      publish: () => {
        this.#records.delete(id);
        published?.();
      },
    };
  }
}
