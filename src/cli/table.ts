// Rows as columns for people, or as JSON for programs. Pure.

export interface Column<Row> {
  readonly title: string;
  readonly text: (row: Row) => string;
  readonly right?: boolean;
}

/** Columns as wide as their widest cell, two spaces apart, a line for the titles first. */
export function formatTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const lines = [columns.map(({ title }) => title), ...rows.map((row) => columns.map(({ text }) => cell(text(row))))];
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => line[index]?.length ?? 0)));
  const padded = (text: string, index: number): string => {
    const width = widths[index] ?? 0;
    return columns[index]?.right === true ? text.padStart(width) : text.padEnd(width);
  };
  return lines.map((line) => `${line.map(padded).join("  ").trimEnd()}\n`).join("");
}

// Names come from whoever made the object; none may move the cursor. An empty cell would shift what splits at spaces.
export const cell = (text: string): string => (text === "" ? "-" : text.replace(/\p{Cc}/gu, "?"));

/** An array of the rows; whole numbers that a double can't hold become decimal strings. */
export const formatJson = (rows: readonly unknown[]): string => `${JSON.stringify(rows, plainNumbers, 2)}\n`;

/** One row in one line. */
export const formatJsonLine = (row: unknown): string => `${JSON.stringify(row, plainNumbers)}\n`;

const plainNumbers = (_: string, value: unknown): unknown => (typeof value === "bigint" ? plain(value) : value);

const plain = (value: bigint): number | string =>
  value <= BigInt(Number.MAX_SAFE_INTEGER) && value >= BigInt(Number.MIN_SAFE_INTEGER) ? Number(value) : String(value);
