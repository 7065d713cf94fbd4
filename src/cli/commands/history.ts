import type { Command } from "commander";
import { AgentError } from "../../base/errors.ts";
import { ImageServiceService as Images, ImageSpec, ImageStatusRequest } from "../../generated/cri/runtime/v1/api.ts";
import { findImage } from "../find.ts";
import { type HistoryRow, historyRows } from "../history-rows.ts";
import { imageNames } from "../image-inventory.ts";
import { message } from "../message.ts";
import { examples, type FormatOptions, formatOption, printRows } from "../options.ts";
import type { Session } from "../session.ts";
import type { Column } from "../table.ts";
import { parseTimeNanos } from "../times.ts";
import { formatAge, formatBytes } from "../units.ts";

const MOST_CHARACTERS = 60;

interface HistoryOptions extends FormatOptions {
  /** false with --no-trunc */
  readonly trunc: boolean;
}

const columns = (nowMs: number, shown: (text: string) => string): readonly Column<HistoryRow>[] => [
  { title: "CREATED", text: ({ created }) => formatAge(parseTimeNanos(created) ?? 0n, nowMs) },
  { title: "SIZE", text: ({ sizeBytes }) => (sizeBytes === null ? "-" : formatBytes(sizeBytes)), right: true },
  { title: "CREATED BY", text: ({ createdBy }) => shown(createdBy) },
  { title: "COMMENT", text: ({ comment }) => shown(comment) },
];

export function addHistory(program: Command, session: Session): Command {
  const command = program
    .command("history")
    .description("print how an image was made, the newest instruction first")
    .argument("<image>", "name, id, or beginning of an id")
    .option("--no-trunc", "whole instructions, however long")
    .addOption(formatOption())
    .action((image: string, options: HistoryOptions) => printHistory(session, image, options));
  return examples(command, "berth history docker.io/library/busybox", "berth history --no-trunc -o json 3f57d9401f8d");
}

async function printHistory(session: Session, text: string, options: HistoryOptions): Promise<void> {
  const { node, world } = session;
  const { id } = findImage(text, await imageNames(node, [text]));
  const image = message(ImageSpec, { image: `sha256:${id}` });
  const answer = await node.ask(Images.imageStatus, message(ImageStatusRequest, { image, verbose: true }));
  if (answer.image === undefined) throw new AgentError("not-found", `read history of image ${text}: it was removed`);
  const shown = (words: string): string => cut(words.replace(/\s+/g, " ").trim(), options.trunc);
  await printRows(session, options, columns(world.nowMs(), shown), historyRows(answer.info["info"] ?? ""));
}

const cut = (words: string, short: boolean): string =>
  short && words.length > MOST_CHARACTERS ? `${words.slice(0, MOST_CHARACTERS - 1)}…` : words;
