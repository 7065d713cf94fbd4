import type { Command } from "commander";
import type { Image } from "../../generated/cri/runtime/v1/api.ts";
import { shortImageId } from "../image-id.ts";
import { listImages } from "../image-inventory.ts";
import { examples, type FormatOptions, formatOption, printRows } from "../options.ts";
import type { Session } from "../session.ts";
import type { Column } from "../table.ts";
import { formatBytes } from "../units.ts";

interface ImageRow {
  readonly id: string;
  readonly reference: string;
  readonly sizeBytes: bigint;
}

const COLUMNS: readonly Column<ImageRow>[] = [
  { title: "ID", text: ({ id }) => shortImageId(id) },
  { title: "REFERENCE", text: ({ reference }) => reference },
  { title: "SIZE", text: ({ sizeBytes }) => formatBytes(sizeBytes), right: true },
];

export function addImages(program: Command, session: Session): Command {
  const command = program
    .command("images")
    .description("list the images on this node, a line for each of their names")
    .addOption(formatOption())
    .action((options: FormatOptions) => printImages(session, options));
  return examples(command, "berth images", "berth images -o json");
}

async function printImages(session: Session, options: FormatOptions): Promise<void> {
  const images = await listImages(session.node);
  const rows = images.flatMap(toRows).sort((a, b) => (a.reference < b.reference ? -1 : a.reference > b.reference ? 1 : 0));
  await printRows(session, options, COLUMNS, rows);
}

// An image without a tag has its digest for a name; one that was loaded may have neither.
function toRows({ id, repoTags, repoDigests, size }: Image): ImageRow[] {
  const names = repoTags.length > 0 ? repoTags : repoDigests;
  return (names.length > 0 ? names : [""]).map((reference) => ({ id, reference, sizeBytes: size }));
}
