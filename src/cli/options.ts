// Options that several commands have, and how their values are read.
import { type Command, InvalidArgumentError, Option } from "commander";
import { messageOf } from "../base/errors.ts";
import type { Session } from "./session.ts";
import { type Column, formatData, formatTable } from "./table.ts";

export interface FormatOptions {
  readonly output: "table" | "json" | "yaml";
}

export const formatOption = (): Option =>
  new Option("-o, --output <format>", "how to print").choices(["table", "json", "yaml"]).default("table");

/**
 * JSON and YAML have the rows as they are, with whole ids and plain numbers.
 *
 * @param cut fits a table to the terminal, where there is one
 */
export async function printRows<Row>(
  session: Session,
  { output }: FormatOptions,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  cut = true,
): Promise<void> {
  const width = cut ? session.world.stdout.columns : undefined;
  await session.print(output === "table" ? formatTable(columns, rows, width) : formatData(rows, output));
}

/** A value that can't be read is bad usage, told with the option's name. */
export function reading<T>(parse: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return parse(text);
    } catch (failure) {
      throw new InvalidArgumentError(messageOf(failure));
    }
  };
}

/** For options that may be given again and again. */
export function collecting<T>(parse: (text: string) => T): (text: string, before: readonly T[] | undefined) => readonly T[] {
  const read = reading(parse);
  return (text, before = []) => [...before, read(text)];
}

export function examples(command: Command, ...lines: string[]): Command {
  return command.addHelpText("after", `\nExamples:\n${lines.map((line) => `  ${line}\n`).join("")}`);
}
