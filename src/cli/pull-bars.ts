// How far a pull is, in lines for a terminal. Pure.
import { shortImageId } from "./image-id.ts";
import type { LayerProgress } from "../generated/berth/v1/berth.ts";
import { formatBytes } from "./units.ts";

const BAR_CHARACTERS = 20;

/** A line for each layer that has not come yet, as many as there is room for, and one for all of them. @param columns of the terminal */
export function barLines(layers: readonly LayerProgress[], columns: number, rows: number): string[] {
  if (layers.length === 0) return [];
  const missing = layers.filter(({ phase }) => phase !== "done");
  // Those that move first; the prompt below has its line too.
  const moving = [...missing.filter(({ phase }) => phase !== "waiting"), ...missing.filter(({ phase }) => phase === "waiting")];
  const fetched = layers.reduce((sum, { fetchedBytes }) => sum + fetchedBytes, 0n);
  const summary = `${layers.length - missing.length} of ${layers.length} layers, ${formatBytes(fetched)} fetched`;
  return [...moving.slice(0, Math.max(0, rows - 2)).map(layerLine), summary].map((line) => line.slice(0, Math.max(0, columns - 1)));
}

function layerLine({ digest, phase, fetchedBytes, totalBytes }: LayerProgress): string {
  const part = totalBytes > 0n ? Number((fetchedBytes * BigInt(BAR_CHARACTERS)) / totalBytes) : 0;
  const filled = Math.min(BAR_CHARACTERS, part);
  const bar = `[${"#".repeat(filled)}${" ".repeat(BAR_CHARACTERS - filled)}]`;
  return `${shortImageId(digest)}  ${phase.padEnd(9)}  ${bar}  ${formatBytes(fetchedBytes)} of ${formatBytes(totalBytes)}`;
}

/** Of a layer that has come. */
export const doneLine = ({ digest, fetchedBytes }: LayerProgress): string =>
  `${shortImageId(digest)}  ${fetchedBytes === 0n ? "was here" : `${formatBytes(fetchedBytes)} fetched`}`;
