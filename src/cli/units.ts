// Amounts as people read and write them. Pure.
import { UsageError } from "./failure.ts";

const SIZE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB"] as const;
const SIZE = /^(\d{1,15})(?:\.(\d{1,3}))?\s*([kmgt]?)(?:i?b)?$/i;
const EXPONENT: Readonly<Record<string, bigint>> = { "": 0n, k: 1n, m: 2n, g: 3n, t: 4n };

/** "12.3 MiB" */
export function formatBytes(bytes: bigint): string {
  let unit = 0;
  let amount = Number(bytes);
  // 1023.95 would be shown as 1024.0 of the smaller unit.
  while (amount >= 1023.95 && unit < SIZE_UNITS.length - 1) {
    amount /= 1024;
    unit++;
  }
  return `${unit === 0 ? amount : amount.toFixed(1)} ${SIZE_UNITS[unit]}`;
}

/** Reads "64m", "1.5g", "64MiB" or plain bytes; all units are binary. @throws UsageError */
export function parseBytes(text: string): bigint {
  const [, whole, fraction = "", unit = ""] = SIZE.exec(text) ?? [];
  if (whole === undefined) throw new UsageError(`${JSON.stringify(text)} is no size such as 64m or 1.5g`);
  const unitBytes = 1024n ** (EXPONENT[unit.toLowerCase()] ?? 0n);
  return BigInt(whole) * unitBytes + (BigInt(`0${fraction}`) * unitBytes) / 10n ** BigInt(fraction.length);
}

const AGES = [
  ["d", 86_400],
  ["h", 3_600],
  ["m", 60],
] as const;

/** "3s", "5m", "2h", "4d", rounded down; "-" for a time that never was. */
export function formatAge(createdAtNanos: bigint, nowMs: number): string {
  if (createdAtNanos <= 0n) return "-";
  const seconds = Math.max(0, Math.floor((nowMs - Number(createdAtNanos / 1_000_000n)) / 1000));
  const [unit, length] = AGES.find(([, length]) => seconds >= length) ?? ["s", 1];
  return `${Math.floor(seconds / length)}${unit}`;
}

/** "1.2", for nanoseconds. */
export const formatMillis = (nanos: bigint): string => (Number(nanos) / 1e6).toFixed(1);

/** A whole number from `least` to `most`. @throws UsageError */
export function parseWhole(text: string, least: number, most: number): number {
  const number = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (!(number >= least && number <= most)) throw new UsageError(`${JSON.stringify(text)} is no whole number from ${least} to ${most}`);
  return number;
}
