const BATCH = 100;

/** The answers of a list in its stream form: nothing for an empty one. */
export function* batches<Item>(items: readonly Item[], size = BATCH): Generator<Item[]> {
  for (let at = 0; at < items.length; at += size) yield items.slice(at, at + size);
}
