import type { Command } from "commander";
import { BerthService as Berth } from "../../generated/berth/v1/berth.ts";
import { findPod } from "../find.ts";
import { listPods } from "../inventory.ts";
import { examples, type FormatOptions, formatOption, printRows } from "../options.ts";
import type { Session } from "../session.ts";
import type { Column } from "../table.ts";
import { type TimelineRow, timelineRows } from "../timeline-rows.ts";
import { formatMillis } from "../units.ts";

const BAR_CHARACTERS = 40;

const COLUMNS: readonly Column<TimelineRow>[] = [
  { title: "STAGE", text: ({ stage }) => stage },
  { title: "AT(ms)", text: ({ atNanos }) => formatMillis(atNanos), right: true },
  { title: "TOOK(ms)", text: ({ tookNanos }) => formatMillis(tookNanos), right: true },
  { title: "", text: ({ bar }) => bar || " " },
];

export function addTimeline(program: Command, session: Session): Command {
  const command = program
    .command("timeline")
    .description("print how long each stage of a pod's start took, and of its containers'")
    .argument("<pod>", "id, beginning of an id, or name")
    .addOption(formatOption())
    .action((pod: string, options: FormatOptions) => printTimeline(session, pod, options));
  return examples(command, "berth timeline shop");
}

async function printTimeline(session: Session, text: string, options: FormatOptions): Promise<void> {
  const { id } = findPod(text, await listPods(session.node));
  const { stages } = await session.node.ask(Berth.timeline, { podSandboxId: id });
  await printRows(session, options, COLUMNS, timelineRows(stages, BAR_CHARACTERS));
}
