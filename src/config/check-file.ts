// All faults of a settings file, with their lines, before berthd is started with it.
import { readFileSync } from "node:fs";
import { parse, TomlError } from "smol-toml";
import { messageOf } from "../base/errors.ts";
import { loadConfig, type Program } from "./load.ts";
import { SETTINGS, type Setting } from "./table.ts";

export interface FileProblem {
  /** from 1; 0 where it is of no line */
  readonly line: number;
  readonly message: string;
}

/** @returns nothing for a file that berthd takes */
export function checkFile(path: string, program: Program): FileProblem[] {
  let text: string;
  let table: Record<string, unknown>;
  try {
    text = readFileSync(path, "utf8");
    table = parse(text);
  } catch (failure) {
    // What follows the first line shows the place in the text.
    const [message = ""] = messageOf(failure).split("\n");
    return [{ line: failure instanceof TomlError ? failure.line : 0, message }];
  }
  const problems = Object.entries(table).flatMap(([name, value]) => {
    const message = problemOf(name, value);
    return message === undefined ? [] : [{ line: lineOf(text, name), message }];
  });
  return problems.length > 0 ? problems : problemOfAll(path, program);
}

function problemOf(name: string, value: unknown): string | undefined {
  const setting = Object.values(SETTINGS).find((each: Setting<unknown>) => each.name === name);
  if (setting === undefined) return `there is no setting ${JSON.stringify(name)}`;
  if (!["string", "number", "bigint", "boolean"].includes(typeof value)) return `${name} is neither a text, a number nor a truth value`;
  try {
    setting.read(String(value));
    return undefined;
  } catch (failure) {
    return `${name}: ${messageOf(failure)}`;
  }
}

/** Settings that are good one by one may not fit each other. */
function problemOfAll(path: string, program: Program): FileProblem[] {
  try {
    loadConfig(["--config", path], program);
    return [];
  } catch (failure) {
    return [{ line: 0, message: messageOf(failure) }];
  }
}

function lineOf(text: string, name: string): number {
  const isSetting = (line: string): boolean =>
    line
      .trimStart()
      .replace(/^["']|["'](?=\s*=)/g, "")
      .split(/[\s=[.]/)[0] === name || line.trim().startsWith(`[${name}`);
  return text.split("\n").findIndex(isSetting) + 1;
}
