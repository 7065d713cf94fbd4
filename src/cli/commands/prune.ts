import { Argument, type Command } from "commander";
import { BerthService as Berth } from "../../generated/berth/v1/berth.ts";
import { RemoveContainerRequest, RuntimeServiceService as Runtime } from "../../generated/cri/runtime/v1/api.ts";
import { shortId } from "../../base/ids.ts";
import { shortImageId } from "../image-id.ts";
import { listImages } from "../image-inventory.ts";
import { listAll, type PodEntry } from "../inventory.ts";
import { message } from "../message.ts";
import { examples, type FormatOptions, formatOption, printRows } from "../options.ts";
import { confirm } from "../prompt.ts";
import { containerPath, planPrune, PRUNE_KINDS, type PruneKind, type PrunePlan } from "../prune-plan.ts";
import { removePod } from "../remove-pod.ts";
import type { Session } from "../session.ts";
import { type Column, formatTable } from "../table.ts";
import { formatBytes } from "../units.ts";

interface PruneOptions extends FormatOptions {
  readonly all?: boolean;
  readonly dryRun?: boolean;
  readonly force?: boolean;
}

interface PruneRow {
  readonly kind: "pod" | "container" | "image";
  readonly id: string;
  /** "" for an image without one */
  readonly name: string;
  /** null: not known before it is gone */
  readonly freedBytes: bigint | null;
}

const COLUMNS: readonly Column<PruneRow>[] = [
  { title: "KIND", text: ({ kind }) => kind },
  { title: "ID", text: ({ kind, id }) => (kind === "image" ? shortImageId(id) : shortId(id)) },
  { title: "NAME", text: ({ name }) => name },
  { title: "FREES", text: ({ freedBytes }) => (freedBytes === null ? "-" : formatBytes(freedBytes)), right: true },
];

export function addPrune(program: Command, session: Session): Command {
  const command = program
    .command("prune")
    .description("remove what nobody needs: stopped pods, exited containers, images without a name that no container uses")
    .addArgument(new Argument("[kind...]", "these only").choices(PRUNE_KINDS))
    .option("-a, --all", "images with a name too, when no container uses them")
    .option("--dry-run", "print what would go, and leave it")
    .option("-f, --force", "do not ask")
    .addOption(formatOption())
    .action((kinds: PruneKind[], options: PruneOptions) => prune(session, kinds.length > 0 ? kinds : PRUNE_KINDS, options));
  return examples(command, "berth prune --dry-run", "berth prune -f images --all");
}

async function prune(session: Session, kinds: readonly PruneKind[], options: PruneOptions): Promise<void> {
  const { node } = session;
  const [{ pods, containers }, images] = await Promise.all([listAll(node), listImages(node)]);
  const plan = planPrune({ pods, containers, images }, kinds, options.all === true);
  const planned = await plannedRows(session, plan, pods);
  if (options.dryRun === true) return await printPruned(session, options, planned, "would be freed");
  if (planned.length > 0 && options.force !== true) {
    await session.print(`${formatTable(COLUMNS, planned)}${total(planned, "would be freed")}`, "stderr");
    if (!(await confirm(session, "Remove these?", "give -f, or --dry-run"))) return;
  }
  await printPruned(session, options, await removePlanned(session, plan, planned), "freed");
}

async function plannedRows(session: Session, { pods, containers, images }: PrunePlan, allPods: readonly PodEntry[]): Promise<PruneRow[]> {
  return [
    ...pods.map(({ id, name }) => ({ kind: "pod" as const, id, name, freedBytes: null })),
    ...containers.map((each) => ({ kind: "container" as const, id: each.id, name: containerPath(each, allPods), freedBytes: null })),
    ...(await pruneImages(
      session,
      images.map(({ id }) => id),
      true,
    )),
  ];
}

/** Pods and containers before the images that only they use. @returns what went */
async function removePlanned(session: Session, { pods, images }: PrunePlan, planned: readonly PruneRow[]): Promise<PruneRow[]> {
  const { node } = session;
  const gone: PruneRow[] = [];
  for (const row of planned.filter(({ kind }) => kind !== "image")) {
    const pod = pods.find(({ id }) => id === row.id);
    const removal =
      pod === undefined
        ? node.ask(Runtime.removeContainer, message(RemoveContainerRequest, { containerId: row.id }))
        : removePod(node, pod);
    await removal.then(
      () => gone.push(row),
      (failure: unknown) => session.fail(failure),
    );
  }
  return [
    ...gone,
    ...(await pruneImages(
      session,
      images.map(({ id }) => id),
      false,
    )),
  ];
}

async function pruneImages(session: Session, ids: string[], dryRun: boolean): Promise<PruneRow[]> {
  if (ids.length === 0) return [];
  const { images } = await session.node.ask(Berth.pruneImages, { ids, dryRun });
  return images.map(({ id, names, freedBytes }) => ({ kind: "image", id, name: names.join(" "), freedBytes }));
}

async function printPruned(session: Session, options: PruneOptions, rows: readonly PruneRow[], word: string): Promise<void> {
  if (options.output !== "table") return await printRows(session, options, COLUMNS, rows);
  if (rows.length > 0) await printRows(session, options, COLUMNS, rows);
  await session.print(total(rows, word));
}

// What containers have written and logged is freed too, and nobody has counted it.
const total = (rows: readonly PruneRow[], word: string): string =>
  rows.length === 0
    ? "nothing to remove\n"
    : `${formatBytes(rows.reduce((sum, { freedBytes }) => sum + (freedBytes ?? 0n), 0n))} ${word}\n`;
