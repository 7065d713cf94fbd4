import type { Command } from "commander";
import { ExecRequest, ExecSyncRequest, RuntimeServiceService as Runtime } from "../../generated/cri/runtime/v1/api.ts";
import { codeOfUnstarted, UsageError } from "../failure.ts";
import { findContainer } from "../find.ts";
import { listAll } from "../inventory.ts";
import { message } from "../message.ts";
import { examples, reading } from "../options.ts";
import { runStreams } from "../run-streams.ts";
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
    .description("run a command in a running container")
    .argument("<container>", "id, beginning of an id, POD/NAME, or name")
    .argument("<command>")
    .argument("[arg...]")
    .passThroughOptions()
    .option("-i, --interactive", "pass our input on to it")
    .option("-t, --tty", "give it a terminal")
    .option(
      "--timeout <seconds>",
      "kill it after so long; its output then comes when it has ended",
      reading((text) => parseWhole(text, 1, LONGEST_TIMEOUT_SECONDS)),
    )
    .action((text: string, program: string, args: string[], options: ExecOptions) => exec(session, text, [program, ...args], options));
  return examples(command, "berth exec web ls -l /etc", "berth exec -it web sh", "berth exec --timeout 5 shop/web sh -c 'echo $HOSTNAME'");
}

async function exec(session: Session, text: string, cmd: string[], options: ExecOptions): Promise<void> {
  const { timeout, tty = false, interactive: stdin = false } = options;
  if (timeout !== undefined && (tty || stdin)) throw new UsageError("--timeout is for commands without a terminal and without input");
  if (tty && session.world.terminal === undefined) throw new UsageError("our input or output is no terminal; leave -t out");
  try {
    const { pods, containers } = await listAll(session.node);
    const { id: containerId } = findContainer(text, containers, pods);
    if (timeout === undefined) {
      const request = message(ExecRequest, { containerId, cmd, tty, stdin, stdout: true, stderr: !tty });
      const { url } = await session.node.ask(Runtime.exec, request);
      return await runStreams(session, url, { tty, stdin });
    }
    const request = message(ExecSyncRequest, { containerId, cmd, timeout: BigInt(timeout) });
    const { stdout, stderr, exitCode } = await session.node.ask(Runtime.execSync, request);
    await session.print(stdout);
    await session.print(stderr, "stderr");
    session.exitCode = exitCode;
  } catch (failure) {
    await session.fail(failure);
    session.exitCode = codeOfUnstarted(failure);
  }
}
