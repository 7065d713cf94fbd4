// Options that several commands have, and how their values are read.
import { type Command, InvalidArgumentError, Option } from "commander";
import { messageOf } from "../base/errors.ts";
import type { Session } from "./session.ts";
import { type Column, formatJson, formatTable } from "./table.ts";

export interface FormatOptions {
  readonly output: "table" | "json";
}

export const formatOption = (): Option => new Option("-o, --output <format>", "how to print").choices(["table", "json"]).default("table");

/** JSON has the rows as they are, with whole ids and plain numbers. */
export async function printRows<Row>(
  session: Session,
  { output }: FormatOptions,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
): Promise<void> {
  await session.print(output === "json" ? formatJson(rows) : formatTable(columns, rows));
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
