// Records as JSON text. CRI times are past 2^53, so they are bigint everywhere; JSON has none, so they
// stand as {"$bigint": "…"}, and bytes as {"$bytes": "<base64>"}.

export function encodeRecord(record: unknown): string {
  return JSON.stringify(record, (_key, value: unknown) => {
    if (typeof value === "bigint") return { $bigint: value.toString() };
    if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString("base64") };
    // Buffer's own toJSON has run before we are asked.
    if (isBufferJson(value)) return { $bytes: Buffer.from(value.data).toString("base64") };
    return value;
  });
}

export function decodeRecord(text: string): unknown {
  return JSON.parse(text, (_key, value: unknown) => {
    if (typeof value !== "object" || value === null) return value;
    if ("$bigint" in value && typeof value.$bigint === "string") return BigInt(value.$bigint);
    if ("$bytes" in value && typeof value.$bytes === "string") return Buffer.from(value.$bytes, "base64");
    return value;
  });
}

function isBufferJson(value: unknown): value is { type: "Buffer"; data: number[] } {
  return (
    typeof value === "object" && value !== null && "type" in value && value.type === "Buffer" && "data" in value && Array.isArray(value.data)
  );
}
