// Records of one kind by something that several of them may have in common, kept with each change: no call walks them all.

export class RecordIndex<T extends { readonly id: string }> {
  readonly #keyOf: (record: T) => string;
  readonly #byKey = new Map<string, Map<string, T>>();

  constructor(keyOf: (record: T) => string, records: Iterable<T>) {
    this.#keyOf = keyOf;
    for (const record of records) this.changed(undefined, record);
  }

  /** In the order in which they came. */
  get(key: string): T[] {
    return [...(this.#byKey.get(key)?.values() ?? [])];
  }

  /** @param before undefined: there was none @param after undefined: it is gone */
  changed(before: T | undefined, after: T | undefined): void {
    const [old, now] = [before && this.#keyOf(before), after && this.#keyOf(after)];
    if (before !== undefined && old !== undefined && old !== now) this.#remove(old, before.id);
    if (after === undefined || now === undefined) return;
    const all = this.#byKey.get(now);
    if (all === undefined) this.#byKey.set(now, new Map([[after.id, after]]));
    else all.set(after.id, after);
  }

  #remove(key: string, id: string): void {
    const all = this.#byKey.get(key);
    all?.delete(id);
    if (all?.size === 0) this.#byKey.delete(key);
  }
}
