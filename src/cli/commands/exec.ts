import type { Command } from "commander";
import { ExecSyncRequest, RuntimeServiceService as Runtime } from "../../generated/cri/runtime/v1/api.ts";
import { codeOfUnstarted, UsageError } from "../failure.ts";
import { findContainer } from "../find.ts";
import { listAll } from "../inventory.ts";
import { message } from "../message.ts";
import { examples, reading } from "../options.ts";
import type { Session } from "../session.ts";
import { parseWhole } from "../units.ts";

// The node takes no longer one.
const LONGEST_TIMEOUT_SECONDS = 4_000_000;

interface ExecOptions {
  readonly timeout?: number;
  readonly tty?: boolean;
  readonly interactive?: boolean;
}

export function addExec(program: Command, session: Session): Command {
  const command = program
    .command("exec")
    .description("run a command in a running container; its output comes when it has ended")
    .argument("<container>", "id, beginning of an id, POD/NAME, or name")
    .argument("<command>")
    .argument("[arg...]")
    .passThroughOptions()
    .option(
      "--timeout <seconds>",
      "kill it after so long",
      reading((text) => parseWhole(text, 1, LONGEST_TIMEOUT_SECONDS)),
    )
    .option("-t, --tty", "not offered yet")
    .option("-i, --interactive", "not offered yet")
    .action((text: string, program: string, args: string[], options: ExecOptions) => exec(session, text, [program, ...args], options));
  return examples(command, "berth exec web ls -l /etc", "berth exec --timeout 5 shop/web sh -c 'echo $HOSTNAME'");
}

async function exec(session: Session, text: string, cmd: string[], options: ExecOptions): Promise<void> {
  if (options.tty || options.interactive) throw new UsageError("a terminal and standard input are not offered yet; leave -t and -i out");
  try {
    const { pods, containers } = await listAll(session.node);
    const { id } = findContainer(text, containers, pods);
    const request = message(ExecSyncRequest, { containerId: id, cmd, timeout: BigInt(options.timeout ?? 0) });
    const { stdout, stderr, exitCode } = await session.node.ask(Runtime.execSync, request);
    await session.print(stdout);
    await session.print(stderr, "stderr");
    session.exitCode = exitCode;
  } catch (failure) {
    await session.fail(failure);
    session.exitCode = codeOfUnstarted(failure);
  }
}
