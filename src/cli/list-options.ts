// What the lists of pods and containers have in common: which rows, and how much of each.
import { type Command, Option } from "commander";
import type { FormatOptions } from "./options.ts";
import { collecting, formatOption, printRows, reading } from "./options.ts";
import { type Pair, parseSelector } from "./run-options.ts";
import type { Session } from "./session.ts";
import type { Column } from "./table.ts";
import { parseWhole } from "./units.ts";

const MOST_ROWS = 1_000_000;

export interface ListOptions extends FormatOptions {
  readonly label?: readonly Pair[];
  readonly quiet?: boolean;
  /** false with --no-trunc */
  readonly trunc: boolean;
  readonly last?: number;
}

interface Listed {
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
}

export function listOptions(command: Command): Command {
  return command
    .addOption(
      new Option("-l, --label <k=v>", "only those with this label; K alone is any value; may be repeated").argParser(
        collecting(parseSelector),
      ),
    )
    .option(
      "-n, --last <number>",
      "only the newest ones",
      reading((text) => parseWhole(text, 1, MOST_ROWS)),
    )
    .option("-q, --quiet", "whole ids alone, a line each")
    .option("--no-trunc", "whole ids, and nothing cut to the width of the terminal")
    .addOption(formatOption());
}

/** @param newestFirst as the node's lists are */
export function chosen<T extends Listed>({ label = [], last }: ListOptions, newestFirst: readonly T[]): T[] {
  const matching = newestFirst.filter(({ labels }) =>
    label.every(([key, value]) => (value === "" ? key in labels : labels[key] === value)),
  );
  return matching.slice(0, last);
}

export async function printList<Row extends { readonly id: string }>(
  session: Session,
  options: ListOptions,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
): Promise<void> {
  if (options.quiet === true) await session.print(rows.map(({ id }) => `${id}\n`).join(""));
  else await printRows(session, options, columns, rows, options.trunc);
}
