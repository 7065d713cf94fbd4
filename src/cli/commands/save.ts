import { type Command, Option } from "commander";
import { BerthService as Berth } from "../../generated/berth/v1/berth.ts";
import { UsageError } from "../failure.ts";
import { Interrupts } from "../interrupts.ts";
import { writeNewFile } from "../new-file.ts";
import { examples } from "../options.ts";
import type { Session } from "../session.ts";

const FORMATS = ["docker-archive", "oci-archive"];

interface SaveOptions {
  readonly output?: string;
  readonly format: string;
}

export function addSave(program: Command, session: Session): Command {
  const command = program
    .command("save")
    .description("write images to an archive")
    .argument("<image...>", "name, id, or beginning of an id; who is named by a name has it in the archive")
    .option("-o, --output <file>", "instead of standard output; it is there when all of it is")
    .addOption(new Option("--format <format>", "a docker-archive is an OCI layout too").choices(FORMATS).default(FORMATS[0]))
    .action((images: string[], options: SaveOptions) => save(session, images, options));
  return examples(command, "berth save -o app.tar registry.example/app:2", "berth save app:1 app:2 | ssh other-node berth load");
}

async function save(session: Session, images: string[], { output, format }: SaveOptions): Promise<void> {
  const { node, world } = session;
  const toStdout = output === undefined || output === "-";
  if (toStdout && world.stdout.isTTY === true) throw new UsageError("standard output is a terminal: give -o FILE, or pipe the archive on");
  using interrupts = new Interrupts(world);
  const receive = async (write: (data: Buffer) => Promise<void>): Promise<void> => {
    await node.listen(Berth.saveImage, { images, format }, ({ data }) => write(data), interrupts.first);
    // A part of an archive must not be taken for the whole.
    interrupts.first.throwIfAborted();
  };
  try {
    if (toStdout) await receive((data) => session.print(data));
    else await writeNewFile(output, receive);
  } catch (failure) {
    if (!interrupts.first.aborted) throw failure;
    await session.fail(interrupts.first.reason);
    session.exitCode = interrupts.exitCode;
  }
}
