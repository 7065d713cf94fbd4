import type { Command } from "commander";
import { BerthService as Berth, type PodUsage } from "../../generated/berth/v1/berth.ts";
import type { NodeClient } from "../client.ts";
import { UsageError } from "../failure.ts";
import { findPod } from "../find.ts";
import { Interrupts } from "../interrupts.ts";
import { listPods } from "../inventory.ts";
import { examples, type FormatOptions, formatOption, printRows } from "../options.ts";
import type { Session } from "../session.ts";
import { type StatsRow, statsRows } from "../stats-rows.ts";
import type { Column } from "../table.ts";
import { formatBytes } from "../units.ts";

const WINDOW_MS = 1000;
const PERIOD_MS = 2000;
// To the first line and first column, and nothing below it.
const CLEAR_SCREEN = "\u001b[H\u001b[2J";

interface StatsOptions extends FormatOptions {
  readonly once?: boolean;
  readonly watch?: boolean;
}

const bytesOrNone = (bytes: bigint | null): string => (bytes === null ? "-" : formatBytes(bytes));

const COLUMNS: readonly Column<StatsRow>[] = [
  { title: "POD", text: ({ pod }) => pod },
  { title: "CONTAINER", text: ({ container }) => container },
  { title: "CPU%", text: ({ cpuPercent }) => cpuPercent?.toFixed(1) ?? "-", right: true },
  { title: "MEMORY", text: ({ memoryBytes }) => bytesOrNone(memoryBytes), right: true },
  { title: "LIMIT", text: ({ limitBytes }) => bytesOrNone(limitBytes), right: true },
  { title: "SWAP", text: ({ swapBytes }) => bytesOrNone(swapBytes), right: true },
  { title: "PIDS", text: ({ pids }) => (pids === null ? "-" : String(pids)), right: true },
  { title: "RX", text: ({ rxBytes }) => bytesOrNone(rxBytes), right: true },
  { title: "TX", text: ({ txBytes }) => bytesOrNone(txBytes), right: true },
  { title: "READ", text: ({ readBytes }) => bytesOrNone(readBytes), right: true },
  { title: "WRITTEN", text: ({ writtenBytes }) => bytesOrNone(writtenBytes), right: true },
  { title: "LAYER", text: ({ layerBytes }) => bytesOrNone(layerBytes), right: true },
];

export function addStats(program: Command, session: Session): Command {
  const command = program
    .command("stats")
    .description("print what pods and their containers use (100 % is one CPU, memory is the working set)")
    .argument("[pod]", "this one only")
    .option("--once", "ask once; CPU is then since the node was asked before, if it was")
    .option("-w, --watch", "again every 2 s, until Ctrl-C")
    .addOption(formatOption())
    .action((pod: string | undefined, options: StatsOptions) => printStats(session, pod, options));
  return examples(command, "berth stats", "berth stats shop --once", "berth stats -w");
}

async function printStats(session: Session, podText: string | undefined, options: StatsOptions): Promise<void> {
  const { node, world } = session;
  if (options.once && options.watch) throw new UsageError("--once asks once, and --watch again and again");
  const id = podText === undefined ? "" : findPod(podText, await listPods(node)).id;
  if (options.watch) return await watchStats(session, id, options);
  const before = options.once === true ? undefined : await askUsage(node, id);
  if (before !== undefined && before.length > 0) await world.sleep(WINDOW_MS);
  const now = await askUsage(node, id);
  await printRows(session, options, COLUMNS, statsRows(before, now));
}

/** An interrupt is how it ends, and no failure. */
async function watchStats(session: Session, id: string, options: StatsOptions): Promise<void> {
  const { node, world } = session;
  using interrupts = new Interrupts(world);
  const { first: ended } = interrupts;
  try {
    let before = await askUsage(node, id, ended);
    for (await world.sleep(WINDOW_MS, ended); !ended.aborted; await world.sleep(PERIOD_MS, ended)) {
      const now = await askUsage(node, id, ended);
      const rows = statsRows(before, now);
      if (world.stdout.isTTY === true) await session.print(CLEAR_SCREEN);
      await printRows(session, options, COLUMNS, rows);
      before = now;
    }
  } catch (failure) {
    if (!ended.aborted) throw failure;
  }
}

async function askUsage(node: NodeClient, podSandboxId: string, signal?: AbortSignal): Promise<PodUsage[]> {
  return (await node.ask(Berth.listUsage, { podSandboxId }, signal)).pods;
}
