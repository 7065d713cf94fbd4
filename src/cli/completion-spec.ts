// What may stand where in a command line of ours, read from commander's description of it. Pure.
import type { Command } from "commander";

/** What a word may be: itself, or "@files", "@pods", "@containers", "@images". */
export type Word = string;

interface ValueSpec {
  /** "-o", "--output" */
  readonly flags: readonly string[];
  readonly words: readonly Word[];
}

export interface CommandSpec {
  readonly name: string;
  /** those that are offered */
  readonly flags: readonly string[];
  /** options that take a value */
  readonly values: readonly ValueSpec[];
  /** for each of its arguments; the last one again and again when `repeats` */
  readonly arguments: readonly (readonly Word[])[];
  readonly repeats: boolean;
  /** From the second argument on, options belong to the command that is run. */
  readonly passesOn: boolean;
}

const KINDS: Readonly<Record<string, Word>> = { pod: "@pods", container: "@containers", image: "@images" };
const FILES = ["file", "folder", "path"];

/** The program itself first, without a name: its arguments are the names of the commands. */
export function completionSpecs(program: Command): CommandSpec[] {
  const commands = program.createHelp().visibleCommands(program);
  const top = { ...specOf(program), name: "", arguments: [commands.map((command) => command.name())], repeats: false };
  return [top, ...commands.map(specOf)];
}

function specOf(command: Command): CommandSpec {
  const given = command.registeredArguments;
  return {
    name: command.name(),
    flags: command.createHelp().visibleOptions(command).flatMap(flagsOf),
    values: command.options
      .filter(({ required, optional }) => required || optional)
      .map((option) => ({ flags: flagsOf(option), words: wordsOf(placeholderOf(option), option.argChoices) })),
    arguments: given.map((argument) => wordsOf(argument.name(), argument.argChoices)),
    repeats: given.at(-1)?.variadic === true,
    passesOn: given.some((argument) => argument.name() === "command"),
  };
}

interface Flags {
  readonly short?: string | undefined;
  readonly long?: string | undefined;
}

const flagsOf = ({ short, long }: Flags): string[] => [short, long].filter((flag) => flag !== undefined);

// "--pod <name>" is a pod's name, "--log-root <folder>" a folder.
function placeholderOf({ flags, long }: Flags & { readonly flags: string }): string {
  const name = long?.slice(2) ?? "";
  return name in KINDS ? name : (/[<[](.+)[>\]]/.exec(flags)?.[1] ?? "");
}

function wordsOf(placeholder: string, choices: readonly string[] | undefined): Word[] {
  if (choices !== undefined) return [...choices];
  if (FILES.includes(placeholder)) return ["@files"];
  return placeholder.split("|").flatMap((name) => KINDS[name] ?? []);
}
