import { status } from "@grpc/grpc-js";
import type { Command } from "commander";
import {
  ListPodSandboxStatsRequest,
  type PodSandboxStats,
  PodSandboxStatsFilter,
  RuntimeServiceService as Runtime,
} from "../../generated/cri/runtime/v1/api.ts";
import type { NodeClient } from "../client.ts";
import { hasCode, UsageError } from "../failure.ts";
import { findPod } from "../find.ts";
import { Interrupts } from "../interrupts.ts";
import { containerStatus, listPods } from "../inventory.ts";
import { message } from "../message.ts";
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
  { title: "PIDS", text: ({ pids }) => (pids === null ? "-" : String(pids)), right: true },
  { title: "RX", text: ({ rxBytes }) => bytesOrNone(rxBytes), right: true },
  { title: "TX", text: ({ txBytes }) => bytesOrNone(txBytes), right: true },
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
  const before = options.once === true ? undefined : await askStats(node, id);
  if (before !== undefined && before.length > 0) await world.sleep(WINDOW_MS);
  const now = await askStats(node, id);
  await printRows(session, options, COLUMNS, statsRows(before, now, await memoryLimits(node, now)));
}

/** An interrupt is how it ends, and no failure. */
async function watchStats(session: Session, id: string, options: StatsOptions): Promise<void> {
  const { node, world } = session;
  using interrupts = new Interrupts(world);
  const { first: ended } = interrupts;
  try {
    let before = await askStats(node, id, ended);
    for (await world.sleep(WINDOW_MS, ended); !ended.aborted; await world.sleep(PERIOD_MS, ended)) {
      const now = await askStats(node, id, ended);
      const rows = statsRows(before, now, await memoryLimits(node, now));
      if (world.stdout.isTTY === true) await session.print(CLEAR_SCREEN);
      await printRows(session, options, COLUMNS, rows);
      before = now;
    }
  } catch (failure) {
    if (!ended.aborted) throw failure;
  }
}

async function askStats(node: NodeClient, podId: string, signal?: AbortSignal): Promise<PodSandboxStats[]> {
  const filter = message(PodSandboxStatsFilter, { id: podId });
  return (await node.ask(Runtime.listPodSandboxStats, message(ListPodSandboxStatsRequest, { filter }), signal)).stats;
}

/** By container id; one that was removed meanwhile has none. */
async function memoryLimits(node: NodeClient, stats: readonly PodSandboxStats[]): Promise<ReadonlyMap<string, bigint>> {
  const ids = stats.flatMap(({ linux }) => (linux?.containers ?? []).map(({ attributes }) => attributes?.id ?? ""));
  const limits = await Promise.all(
    ids.map(async (id) => {
      const limit = await containerStatus(node, id).then(
        ({ resources }) => resources?.linux?.memoryLimitInBytes ?? 0n,
        (failure: unknown) => {
          if (hasCode(failure, status.NOT_FOUND)) return 0n;
          throw failure;
        },
      );
      return [id, limit] as const;
    }),
  );
  return new Map(limits);
}
