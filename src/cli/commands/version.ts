import type { Command } from "commander";
import { RuntimeServiceService as Runtime, VersionRequest } from "../../generated/cri/runtime/v1/api.ts";
import { message } from "../message.ts";
import { examples } from "../options.ts";
import type { Session } from "../session.ts";

export function addVersion(program: Command, session: Session): Command {
  const command = program
    .command("version")
    .description("print the versions of this command line and of the node")
    .option("--client", "of this command line only")
    .action((options: { readonly client?: boolean }) => printVersions(session, options.client === true));
  return examples(command, "berth version", "berth version --client");
}

async function printVersions(session: Session, clientOnly: boolean): Promise<void> {
  await session.print(`client  berth ${session.world.version}\n`);
  if (clientOnly) return;
  const { runtimeName, runtimeVersion, runtimeApiVersion } = await session.node.ask(Runtime.version, message(VersionRequest, {}));
  await session.print(`node    ${runtimeName} ${runtimeVersion}, CRI ${runtimeApiVersion}\n`);
}
