import type { Command } from "commander";
import { BerthService as Berth, type ConfigSetting } from "../../generated/berth/v1/berth.ts";
import { examples, type FormatOptions, formatOption, printRows } from "../options.ts";
import type { Session } from "../session.ts";
import type { Column } from "../table.ts";

interface ConfigOptions extends FormatOptions {
  readonly check?: string;
}

interface Problem {
  readonly file: string;
  readonly line: number;
  readonly message: string;
}

const COLUMNS: readonly Column<ConfigSetting>[] = [
  { title: "SETTING", text: ({ name }) => name },
  { title: "VALUE", text: ({ value }) => value },
  { title: "FROM", text: ({ from }) => from },
];

export function addConfig(program: Command, session: Session): Command {
  const command = program
    .command("config")
    .description("print the node's settings and where each is from, or look whether a file of settings is good")
    .option("--check <file>", "tell what is wrong with it, line by line, without asking a node; exit code 1 when something is")
    .addOption(formatOption())
    .action((options: ConfigOptions) =>
      options.check === undefined ? printConfig(session, options) : checkConfig(session, options.check, options),
    );
  return examples(command, "berth config", "berth config --check /etc/berth/berth.toml");
}

async function printConfig(session: Session, options: FormatOptions): Promise<void> {
  const { settings } = await session.node.ask(Berth.getConfig, {});
  await printRows(session, options, COLUMNS, settings);
}

async function checkConfig(session: Session, file: string, options: FormatOptions): Promise<void> {
  const problems: Problem[] = session.world.checkConfig(file).map((problem) => ({ file, ...problem }));
  if (options.output !== "table") await printRows(session, options, [], problems);
  else for (const { line, message } of problems) await session.print(`${file}:${line === 0 ? "" : `${line}:`} ${message}\n`);
  if (problems.length > 0) session.exitCode = 1;
}
