import type { Command } from "commander";
import { shortId } from "../../base/ids.ts";
import { BerthService as Berth } from "../../generated/berth/v1/berth.ts";
import { ImageServiceService as Images, ImageSpec, RemoveImageRequest } from "../../generated/cri/runtime/v1/api.ts";
import { shortImageId } from "../image-id.ts";
import { listImages } from "../image-inventory.ts";
import { listPods, type PodEntry } from "../inventory.ts";
import { message } from "../message.ts";
import { examples, type FormatOptions, formatOption, printRows } from "../options.ts";
import { confirm } from "../prompt.ts";
import { removePod } from "../remove-pod.ts";
import type { Session } from "../session.ts";
import { type Column, formatTable } from "../table.ts";

interface ResetOptions extends FormatOptions {
  readonly images?: boolean;
  readonly dryRun?: boolean;
  readonly force?: boolean;
}

interface ResetRow {
  readonly kind: "pod" | "image";
  readonly id: string;
  readonly name: string;
}

const COLUMNS: readonly Column<ResetRow>[] = [
  { title: "KIND", text: ({ kind }) => kind },
  { title: "ID", text: ({ kind, id }) => (kind === "image" ? shortImageId(id) : shortId(id)) },
  { title: "NAME", text: ({ name }) => name },
];

export function addReset(program: Command, session: Session): Command {
  const command = program
    .command("reset")
    .description("remove all pods of a running node, whatever they do; `berthd --reset all` takes down a node that does not run, whole")
    .option("--images", "all images too")
    .option("--dry-run", "print what would go, and leave it")
    .option("-f, --force", "do not ask")
    .addOption(formatOption())
    .action((options: ResetOptions) => reset(session, options));
  return examples(command, "berth reset --dry-run", "berth reset -f --images");
}

async function reset(session: Session, options: ResetOptions): Promise<void> {
  const { node } = session;
  const [pods, images] = await Promise.all([listPods(node), options.images === true ? listImages(node) : []]);
  const rows: ResetRow[] = [
    ...pods.map(({ id, name }) => ({ kind: "pod" as const, id, name })),
    ...images.map(({ id, repoTags }) => ({ kind: "image" as const, id, name: repoTags.join(" ") })),
  ];
  if (options.dryRun !== true && rows.length > 0 && options.force !== true) {
    await session.print(formatTable(COLUMNS, rows), "stderr");
    if (!(await confirm(session, "Remove all of these, running or not?", "give -f, or --dry-run"))) return;
  }
  const gone = options.dryRun === true ? rows : await removeAll(session, rows, pods);
  if (rows.length > 0 || options.output !== "table") await printRows(session, options, COLUMNS, gone);
  if (options.dryRun !== true) await lookForRemains(session);
}

/** Pods before the images that they use. @returns what went */
async function removeAll(session: Session, rows: readonly ResetRow[], pods: readonly PodEntry[]): Promise<ResetRow[]> {
  const gone: ResetRow[] = [];
  for (const row of rows) {
    const pod = pods.find(({ id }) => id === row.id);
    const image = message(ImageSpec, { image: row.id });
    const removal =
      pod === undefined ? session.node.ask(Images.removeImage, message(RemoveImageRequest, { image })) : removePod(session.node, pod);
    await removal.then(
      () => gone.push(row),
      (failure: unknown) => session.fail(failure),
    );
  }
  return gone;
}

/** What nobody has on record goes too. */
async function lookForRemains(session: Session): Promise<void> {
  const { differences } = await session.node.ask(Berth.audit, { repair: true });
  for (const { class: kind, object, problem, mended, failure } of differences.filter((each) => !each.mended))
    if (!mended) await session.fail(new Error(`${kind} ${object}: ${failure === "" ? problem : failure}`));
}
