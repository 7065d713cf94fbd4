import type { Command } from "commander";
import { messageOf } from "../../base/errors.ts";
import { type Check, error } from "../doctor/check.ts";
import { checkAll } from "../doctor/checks.ts";
import { examples, type FormatOptions, formatOption, printRows } from "../options.ts";
import type { Session } from "../session.ts";
import type { Column } from "../table.ts";

interface DoctorOptions extends FormatOptions {
  readonly config?: string;
}

const COLUMNS: readonly Column<Check>[] = [
  { title: "CHECK", text: ({ check }) => check },
  { title: "VERDICT", text: ({ verdict }) => verdict },
  { title: "FOUND", text: ({ found }) => found },
  { title: "WHAT TO DO", text: ({ advice }) => advice || " " },
];

export function addDoctor(program: Command, session: Session): Command {
  const command = program
    .command("doctor")
    .description("look whether this machine can be a node, without asking one; exit code 1 when something makes it impossible")
    .option("--config <file>", "the settings that berthd would be started with")
    .addOption(formatOption())
    .action((options: DoctorOptions) => examine(session, options));
  return examples(command, "berth doctor", "berth doctor --config /etc/berth/berth.toml -o json");
}

async function examine(session: Session, options: DoctorOptions): Promise<void> {
  const checks = await checksOf(session, options.config);
  await printRows(session, options, COLUMNS, checks);
  if (checks.some(({ verdict }) => verdict === "error")) session.exitCode = 1;
}

async function checksOf({ world }: Session, file: string | undefined): Promise<Check[]> {
  let settings: ReturnType<typeof world.nodeSettings>;
  try {
    settings = world.nodeSettings(file);
  } catch (failure) {
    return [error("settings", messageOf(failure), "mend the file; `berth config --check FILE` tells all of its faults")];
  }
  return checkAll(await world.readFacts(settings), settings);
}
