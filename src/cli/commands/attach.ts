import type { Command } from "commander";
import { AttachRequest, RuntimeServiceService as Runtime } from "../../generated/cri/runtime/v1/api.ts";
import { UsageError } from "../failure.ts";
import { findContainer } from "../find.ts";
import { listAll } from "../inventory.ts";
import { message } from "../message.ts";
import { examples } from "../options.ts";
import { runStreams } from "../run-streams.ts";
import type { Session } from "../session.ts";

interface AttachOptions {
  readonly tty?: boolean;
  readonly stdin?: boolean;
}

export function addAttach(program: Command, session: Session): Command {
  const command = program
    .command("attach")
    .description("follow a container's own output, and give it input; Ctrl-C leaves it running")
    .argument("<container>", "id, beginning of an id, POD/NAME, or name")
    .option("-t, --tty", "the container has a terminal: be it")
    .option("--no-stdin", "follow its output only")
    .action((text: string, options: AttachOptions) => attach(session, text, options));
  return examples(command, "berth attach web", "berth attach -t shop/shell");
}

async function attach(session: Session, text: string, { tty = false, stdin = true }: AttachOptions): Promise<void> {
  if (tty && session.world.terminal === undefined) throw new UsageError("our input or output is no terminal; leave -t out");
  const { pods, containers } = await listAll(session.node);
  const { id: containerId } = findContainer(text, containers, pods);
  const request = message(AttachRequest, { containerId, tty, stdin, stdout: true, stderr: !tty });
  const { url } = await session.node.ask(Runtime.attach, request);
  await runStreams(session, url, { tty, stdin });
}
