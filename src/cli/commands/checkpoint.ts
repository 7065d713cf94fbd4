import { resolve } from "node:path";
import type { Command } from "commander";
import { CheckpointContainerRequest, RuntimeServiceService as Runtime } from "../../generated/cri/runtime/v1/api.ts";
import { findContainer } from "../find.ts";
import { Interrupts } from "../interrupts.ts";
import { listAll } from "../inventory.ts";
import { message } from "../message.ts";
import { examples, reading } from "../options.ts";
import type { Session } from "../session.ts";
import { parseWhole } from "../units.ts";

// The node takes no longer one.
const LONGEST_TIMEOUT_SECONDS = 3600;

interface CheckpointOptions {
  readonly timeout: number;
}

export function addCheckpoint(program: Command, session: Session): Command {
  const command = program
    .command("checkpoint")
    .description("write memory and changed files of a running container to an archive; it goes on")
    .argument("<container>", "id, beginning of an id, POD/NAME, or name")
    .argument("<file>", "written by the node, where berthd has the setting `checkpoints`; who can read it reads all that is in memory")
    .option(
      "--timeout <seconds>",
      "give up after so long; 0: as long as the node lets its OCI runtime work",
      reading((text) => parseWhole(text, 0, LONGEST_TIMEOUT_SECONDS)),
      0,
    )
    .action((text: string, file: string, options: CheckpointOptions) => checkpoint(session, text, file, options));
  return examples(command, "berth checkpoint web web.tar", "berth checkpoint --timeout 60 shop/web /var/tmp/web.tar");
}

async function checkpoint(session: Session, text: string, file: string, { timeout }: CheckpointOptions): Promise<void> {
  const { node } = session;
  using interrupts = new Interrupts(session.world);
  try {
    const { pods, containers } = await listAll(node);
    const { id: containerId } = findContainer(text, containers, pods);
    const request = message(CheckpointContainerRequest, { containerId, location: resolve(file), timeout: BigInt(timeout) });
    await node.ask(Runtime.checkpointContainer, request, interrupts.first);
  } catch (failure) {
    if (!interrupts.first.aborted) throw failure;
    await session.fail(interrupts.first.reason);
    session.exitCode = interrupts.exitCode;
  }
}
