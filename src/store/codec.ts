// Records as JSON text. CRI times are past 2^53, so they are bigint everywhere; JSON has none, so they
// stand as {"$bigint": "…"}, and bytes as {"$bytes": "<base64>"}. Keys come from outside too (labels, annotations): an object
// that has one of these words as a key stands as {"$object": [[key, value], …]}, and is never taken for what it is not.

const MARKS = ["$bigint", "$bytes", "$object"];

export function encodeRecord(record: unknown): string {
  return JSON.stringify(record, (_key, value: unknown) => {
    if (typeof value === "bigint") return { $bigint: value.toString() };
    if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString("base64") };
    // Buffer's own toJSON has run before we are asked.
    if (isBufferJson(value)) return { $bytes: Buffer.from(value.data).toString("base64") };
    if (isMarked(value)) return { $object: Object.entries(value) };
    return value;
  });
}

export function decodeRecord(text: string): unknown {
  return revive(JSON.parse(text));
}

/** A function given to JSON.parse would do the same, in five times the time: a node with many pods waits for it at its start. */
function revive(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  const parts = value as Record<string, unknown>;
  for (const key of Object.keys(parts)) parts[key] = revive(parts[key]);
  if ("$bigint" in value && typeof value.$bigint === "string") return BigInt(value.$bigint);
  if ("$bytes" in value && typeof value.$bytes === "string") return Buffer.from(value.$bytes, "base64");
  if ("$object" in value && Array.isArray(value.$object)) return Object.fromEntries(value.$object.filter(isEntry));
  return value;
}

const isMarked = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value) && MARKS.some((mark) => Object.hasOwn(value, mark));

const isEntry = (value: unknown): value is [string, unknown] => Array.isArray(value) && typeof value[0] === "string";

function isBufferJson(value: unknown): value is { type: "Buffer"; data: number[] } {
  return (
    typeof value === "object" &&
    value !== null &&
    "type" in value &&
    value.type === "Buffer" &&
    "data" in value &&
    Array.isArray(value.data)
  );
}
