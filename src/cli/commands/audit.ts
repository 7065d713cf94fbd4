import type { Command } from "commander";
import { shortId } from "../../base/ids.ts";
import { type AuditDifference, BerthService as Berth } from "../../generated/berth/v1/berth.ts";
import { examples, type FormatOptions, formatOption, printRows } from "../options.ts";
import type { Session } from "../session.ts";
import type { Column } from "../table.ts";

interface AuditOptions extends FormatOptions {
  readonly repair?: boolean;
}

const COLUMNS: readonly Column<AuditDifference>[] = [
  { title: "CLASS", text: ({ class: kind }) => kind },
  { title: "POD", text: ({ podSandboxId }) => shortId(podSandboxId) },
  { title: "OBJECT", text: ({ object }) => object },
  { title: "PROBLEM", text: ({ problem }) => problem },
  { title: "MEND", text: mendText },
];

export function addAudit(program: Command, session: Session): Command {
  const command = program
    .command("audit")
    .description("compare the node's records with what exists in the kernel and on disk; exit code 0 means that they agree")
    .option("--repair", "mend what can be mended; exit code 0 means that nothing is left to mend")
    .addOption(formatOption())
    .action((options: AuditOptions) => printAudit(session, options));
  return examples(command, "berth audit", "berth audit --repair", "berth audit -o json");
}

async function printAudit(session: Session, options: AuditOptions): Promise<void> {
  const { differences, busyPods, truncated } = await session.node.ask(Berth.audit, { repair: options.repair === true });
  if (differences.length > 0 || options.output !== "table") await printRows(session, options, COLUMNS, differences);
  if (busyPods > 0) await session.print(`berth: pods being worked on, and not judged: ${busyPods}\n`, "stderr");
  if (truncated) await session.print("berth: there is more on this node than can be listed, so what is missing is not told\n", "stderr");
  if (differences.some(({ mended }) => !mended)) session.exitCode = 1;
}

function mendText({ mendable, mended, failure, advice }: AuditDifference): string {
  if (mended) return "mended";
  if (failure !== "") return `failed: ${failure}`;
  return mendable ? "--repair" : advice;
}
