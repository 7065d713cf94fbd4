import type { Command } from "commander";
import { AgentError } from "../../base/errors.ts";
import {
  BerthService as Berth,
  CopySource,
  type CopyFromResponse,
  type CopyTarget,
  type CopyToRequest,
} from "../../generated/berth/v1/berth.ts";
import { extract } from "../copy/extract.ts";
import { aim, openSource } from "../copy/local.ts";
import type { Packing } from "../copy/pack.ts";
import { nameOf, parsePlace, type Place } from "../copy/place.ts";
import { inPieces } from "../copy/pieces.ts";
import { UsageError } from "../failure.ts";
import { findContainer } from "../find.ts";
import { listAll } from "../inventory.ts";
import { examples } from "../options.ts";
import type { Session } from "../session.ts";

interface CpOptions {
  readonly archive?: boolean;
  readonly followLink?: boolean;
}

type Inside = Extract<Place, { kind: "container" }>;

export function addCp(program: Command, session: Session): Command {
  const command = program
    .command("cp")
    .description("copy files and folders from a container, or to it; the container need not run")
    .argument("<source>", 'CONTAINER:PATH, a local path, or "-" for a tar on standard input')
    .argument("<target>", 'CONTAINER:PATH, a local path, or "-" for a tar on standard output')
    .option("-a, --archive", "keep owners, as numbers; else a container's root owns what it gets, and you what you get")
    .option("-L, --follow-link", "copy what a link at the source leads to, not the link")
    .action((source: string, target: string, options: CpOptions) => copy(session, parsePlace(source), parsePlace(target), options));
  return examples(
    command,
    "berth cp web:/etc/nginx.conf .",
    "berth cp ./site/. shop/web:/var/www",
    "berth cp web:/var/log - | tar -t",
    "tar -c conf | berth cp - web:/etc",
  );
}

async function copy(session: Session, source: Place, target: Place, options: CpOptions): Promise<void> {
  if (source.kind === "container" && target.kind === "container")
    throw new UsageError("one of both is on this machine: copy by way of a file, or of berth cp A:PATH - | berth cp - B:PATH");
  if (source.kind === "container") return await fromContainer(session, source, target, options);
  if (target.kind === "container") return await toContainer(session, source, target, options);
  throw new UsageError("one of both is in a container: CONTAINER:PATH");
}

async function fromContainer(session: Session, source: Inside, target: Place, { archive, followLink }: CpOptions): Promise<void> {
  if (target.kind === "tar" && session.world.stdout.isTTY === true)
    throw new UsageError("standard output is a terminal: name a file or folder, or send the tar on");
  const containerId = await containerIdOf(session, source);
  const answers = session.node.read(Berth.copyFrom, { containerId, path: source.path, followLink: followLink === true });
  const first = await answers.next();
  if (first.done === true || first.value.piece?.$case !== "found")
    throw new AgentError("internal", "copy from container: the answer is empty");
  const packing: Packing = { leftOut: 0 };
  const tar = dataOf(answers, packing);
  if (target.kind === "local") await extract(tar, await aim(target.path, first.value.piece.value, nameOf(source.path), archive === true));
  else for await (const data of tar) await session.print(data);
  await tellLeftOut(session, packing);
}

async function* dataOf(answers: AsyncGenerator<CopyFromResponse>, packing: Packing): AsyncGenerator<Buffer> {
  for await (const { piece } of answers) {
    if (piece?.$case === "data") yield piece.value;
    if (piece?.$case === "done") packing.leftOut = Number(piece.value.leftOut);
  }
}

async function toContainer(session: Session, source: Place, target: Inside, { archive, followLink }: CpOptions): Promise<void> {
  const { stdin } = session.world;
  if (source.kind === "tar" && stdin.isTTY === true) throw new UsageError("standard input is a terminal: pipe a tar in");
  const containerId = await containerIdOf(session, target);
  const packing: Packing = { leftOut: 0 };
  const { kind, tar } =
    source.kind === "local"
      ? await openSource(source.path, followLink === true, packing)
      : { kind: CopySource.COPY_SOURCE_ARCHIVE, tar: stdin as AsyncIterable<Buffer> };
  const aimed = { containerId, path: target.path, source: kind, keepOwners: archive === true };
  await session.node.upload(Berth.copyTo, requests(aimed, tar));
  await tellLeftOut(session, packing);
}

async function* requests(target: CopyTarget, tar: AsyncIterable<Buffer>): AsyncGenerator<CopyToRequest> {
  yield { piece: { $case: "target", value: target } };
  for await (const value of inPieces(tar)) yield { piece: { $case: "data", value } };
}

async function containerIdOf({ node }: Session, { container }: Inside): Promise<string> {
  const { pods, containers } = await listAll(node);
  return findContainer(container, containers, pods).id;
}

async function tellLeftOut(session: Session, { leftOut }: Packing): Promise<void> {
  if (leftOut > 0) await session.print(`berth: left out ${leftOut} sockets, pipes, devices or files of the kernel\n`, "stderr");
}
