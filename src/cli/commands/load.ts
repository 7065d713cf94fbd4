import { createReadStream } from "node:fs";
import type { Readable } from "node:stream";
import type { Command } from "commander";
import { BerthService as Berth, type LoadImageRequest } from "../../generated/berth/v1/berth.ts";
import { UsageError } from "../failure.ts";
import { examples } from "../options.ts";
import type { Session } from "../session.ts";

// The most that the node takes in a message.
const PIECE_BYTES = 1024 * 1024;

export function addLoad(program: Command, session: Session): Command {
  const command = program
    .command("load")
    .description("take images from an archive (OCI layout or docker-archive, as a tar)")
    .argument("[file]", '"-" or nothing is standard input', "-")
    .action((file: string) => load(session, file));
  return examples(command, "berth load app.tar", "skopeo copy docker://registry.example/app:2 docker-archive:/dev/stdout | berth load");
}

async function load(session: Session, file: string): Promise<void> {
  const { stdin } = session.world;
  if (file === "-" && stdin.isTTY === true) throw new UsageError("standard input is a terminal: name a file, or pipe an archive in");
  const source = file === "-" ? stdin : createReadStream(file, { highWaterMark: PIECE_BYTES });
  const { images } = await session.node.upload(Berth.loadImage, pieces(source));
  for (const { id, references } of images) {
    for (const reference of references.length > 0 ? references : ["-"]) await session.print(`${reference} ${id}\n`);
  }
}

async function* pieces(source: Readable): AsyncGenerator<LoadImageRequest> {
  for await (const chunk of source as AsyncIterable<Buffer>) {
    for (let at = 0; at < chunk.length; at += PIECE_BYTES) yield { data: chunk.subarray(at, at + PIECE_BYTES) };
  }
}
