// Results as a person and as a program reads them.
import type { Measure } from "./results.ts";

/** Who is compared: the first of Berth's, with each of the others. */
interface Sides {
  readonly berth: string | undefined;
  readonly others: readonly string[];
}

const isBerth = (peer: string): boolean => peer.startsWith("berth");

function sidesOf(peers: readonly string[]): Sides {
  return { berth: peers.find(isBerth), others: peers.filter((peer) => !isBerth(peer)) };
}

/** Berth's part of the other's: 0.125 is an eighth. */
function ratio(measure: Measure, berth: string | undefined, other: string | undefined): number | undefined {
  const [a, b] = [measure.ofPeer.get(berth ?? ""), measure.ofPeer.get(other ?? "")];
  return a === undefined || b === undefined || b === 0 ? undefined : a / b;
}

const digits = (value: number): string => (Math.abs(value) < 10 ? value.toFixed(2) : value.toFixed(1));
const cell = (value: number | undefined): string => (value === undefined ? "-" : digits(value));

export function tableOf(peers: readonly string[], measures: readonly Measure[]): string {
  const { berth, others } = sidesOf(peers);
  const head = ["", "unit", ...peers, ...others.map((other) => `: ${other}`)];
  const rows = measures.map((measure) => [
    measure.name,
    measure.unit,
    ...peers.map((peer) => cell(measure.ofPeer.get(peer))),
    ...others.map((other) => ratio(measure, berth, other)?.toFixed(3) ?? "-"),
  ]);
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    row.map((text, column) => (column < 2 ? text.padEnd(widths[column] ?? 0) : text.padStart(widths[column] ?? 0))).join("  ");
  return [head, ...rows].map((row) => `${line(row).trimEnd()}\n`).join("");
}

interface Row {
  readonly unit: string;
  readonly berth: number | undefined;
  readonly peer: number | undefined;
  readonly ratio: number | undefined;
  readonly all: Readonly<Record<string, number>>;
}

/** A row for each measure; `berth` and `peer` are the first of each side. */
export function rowsOf(peers: readonly string[], measures: readonly Measure[]): Readonly<Record<string, Row>> {
  const { berth, others } = sidesOf(peers);
  return Object.fromEntries(
    measures.map((measure) => {
      const of = (peer: string | undefined): number | undefined => measure.ofPeer.get(peer ?? "");
      const all = Object.fromEntries(measure.ofPeer);
      return [measure.name, { unit: measure.unit, berth: of(berth), peer: of(others[0]), ratio: ratio(measure, berth, others[0]), all }];
    }),
  );
}
