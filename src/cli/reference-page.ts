// docs/cli.md: what `berth COMMAND --help` prints, of all commands.
import type { Command } from "commander";

const CHARACTERS = 120;

/** @param program nothing is run of it */
export function cliPage(program: Command): string {
  const commands = program
    .createHelp()
    .visibleCommands(program)
    .filter((command) => command.name() !== "help");
  return [
    "# Commands of berth",
    "",
    "`berth` is a client of berthd's socket. This page has what each command says of itself; [quickstart.md](quickstart.md) shows the",
    "commands of every day at work, and [copying-files.md](copying-files.md) has the rules of `cp`.",
    "",
    ...RULES,
    "",
    block(helpOf(program)),
    ...commands.flatMap((command) => ["", `## ${command.name()}`, "", block(helpOf(command))]),
    "",
    "This page is made from the commands: `make docs`.",
    "",
  ].join("\n");
}

const RULES =
  `- **Names.** Pods, containers and images are named by name, by id or by the beginning of an id; \`POD/NAME\` is a container of a
  pod. A name goes before the beginning of an id. What may be several is refused, and all of them are named; what is not there is
  refused with the nearest names.
- **Output.** \`-o json\` and \`-o yaml\` have whole ids, camelCase names, sizes in bytes and times in nanoseconds since the epoch. A table
  is cut to the width of the terminal, if there is one; in a pipe it is not. There are no colours, so \`NO_COLOR\` changes nothing.
- **Failures** are told in one line on standard error, sometimes with a line \`hint: …\` below it.
- **Exit codes.** 0; 1 when something failed; 2 when the command line makes no sense. \`run\` and \`exec\` end with the code of the
  program that they ran, 128 + N when signal N ended it; when it did not run, with 127 if there is no such program, 126 if it can't be
  run, and 125 otherwise, as with Docker.
- **Options** of \`run\` and \`exec\` stand before the image or container; what follows belongs to the program.`.split("\n");

const block = (text: string): string => `\`\`\`text\n${text.trimEnd()}\n\`\`\``;

function helpOf(command: Command): string {
  let text = "";
  command.configureOutput({
    writeOut: (part) => {
      text += part;
    },
    getOutHelpWidth: () => CHARACTERS,
    getOutHasColors: () => false,
  });
  command.outputHelp();
  return text;
}
