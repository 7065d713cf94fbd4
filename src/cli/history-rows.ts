// How an image was made, an instruction a row, from what the node says of it. Pure.

export interface HistoryRow {
  /** RFC 3339, as the image's maker wrote it; "" where he did not */
  readonly created: string;
  /** of what it made, unpacked; null where the node does not know */
  readonly sizeBytes: bigint | null;
  readonly createdBy: string;
  readonly comment: string;
}

interface Fields {
  readonly [key: string]: unknown;
}

/**
 * Newest first. A layer that no instruction stands for has a row of its own, since makers may leave the history out.
 *
 * @param info the node's words for the image: JSON with `layers` and `history`, both from the lowest on
 */
export function historyRows(info: string): HistoryRow[] {
  const json = asFields(parse(info));
  const sizes = asList(json["layers"]).map(sizeOf);
  let layer = 0;
  const rows = asList(json["history"]).map((entry): HistoryRow => {
    const sizeBytes = entry["emptyLayer"] === true ? 0n : (sizes[layer++] ?? null);
    return { created: text(entry["created"]), sizeBytes, createdBy: text(entry["createdBy"]), comment: text(entry["comment"]) };
  });
  const untold = sizes.slice(layer).map((sizeBytes) => ({ created: "", sizeBytes, createdBy: "", comment: "" }));
  return [...rows, ...untold].reverse();
}

function parse(info: string): unknown {
  try {
    return JSON.parse(info);
  } catch {
    return undefined;
  }
}

// A decimal string, and absent for an image that an older node took in.
function sizeOf({ unpackedBytes }: Fields): bigint | null {
  return typeof unpackedBytes === "string" && /^\d{1,18}$/.test(unpackedBytes) ? BigInt(unpackedBytes) : null;
}

const asFields = (value: unknown): Fields => (typeof value === "object" && value !== null ? { ...value } : {});
const asList = (value: unknown): Fields[] => (Array.isArray(value) ? value.map(asFields) : []);
const text = (value: unknown): string => (typeof value === "string" ? value : "");
