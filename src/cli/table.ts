// Rows as columns for people, or as JSON or YAML for programs. Pure.
import { formatYaml } from "./yaml.ts";

export interface Column<Row> {
  readonly title: string;
  readonly text: (row: Row) => string;
  readonly right?: boolean;
  /** cut first where the terminal is too narrow */
  readonly long?: boolean;
}

const GAP = 2;
const FEWEST_CHARACTERS = 8;

/**
 * Columns as wide as their widest cell, two spaces apart, a line for the titles first.
 *
 * @param most characters of a line; long columns are cut to it, as far as they can be
 */
export function formatTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[], most?: number): string {
  const lines = [columns.map(({ title }) => title), ...rows.map((row) => columns.map(({ text }) => cell(text(row))))];
  const needed = columns.map((_, index) => Math.max(...lines.map((line) => line[index]?.length ?? 0)));
  const widths = most === undefined ? needed : fitted(columns, needed, most);
  const padded = (whole: string, index: number): string => {
    const width = widths[index] ?? 0;
    const text = whole.length > width ? `${whole.slice(0, width - 1)}…` : whole;
    return columns[index]?.right === true ? text.padStart(width) : text.padEnd(width);
  };
  return lines.map((line) => `${line.map(padded).join("  ").trimEnd()}\n`).join("");
}

/** The widest of the long columns gives first. */
function fitted<Row>(columns: readonly Column<Row>[], needed: readonly number[], most: number): number[] {
  const widths = [...needed];
  const total = (): number => widths.reduce((sum, width) => sum + width + GAP, -GAP);
  while (total() > most) {
    const long = columns.flatMap(({ long }, index) => (long === true ? [index] : []));
    const widest = long.sort((a, b) => (widths[b] ?? 0) - (widths[a] ?? 0))[0];
    if (widest === undefined || (widths[widest] ?? 0) <= FEWEST_CHARACTERS) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return widths;
}

// Names come from whoever made the object; none may move the cursor. An empty cell would shift what splits at spaces.
export const cell = (text: string): string => (text === "" ? "-" : text.replace(/\p{Cc}/gu, "?"));

/** An array of the rows, or whatever else it is; whole numbers that a double can't hold become decimal strings. */
export function formatData(data: unknown, output: "json" | "yaml"): string {
  const json = JSON.stringify(data, plainNumbers, 2);
  return output === "json" ? `${json}\n` : formatYaml(JSON.parse(json));
}

/** One row in one line. */
export const formatJsonLine = (row: unknown): string => `${JSON.stringify(row, plainNumbers)}\n`;

const plainNumbers = (_: string, value: unknown): unknown => (typeof value === "bigint" ? plain(value) : value);

const plain = (value: bigint): number | string =>
  value <= BigInt(Number.MAX_SAFE_INTEGER) && value >= BigInt(Number.MIN_SAFE_INTEGER) ? Number(value) : String(value);
