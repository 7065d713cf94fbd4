import type { Command } from "commander";
import { AgentError } from "../../base/errors.ts";
import { BerthService as Berth } from "../../generated/berth/v1/berth.ts";
import { findEither } from "../find.ts";
import { listAll } from "../inventory.ts";
import { examples, type FormatOptions, formatOption } from "../options.ts";
import type { Session } from "../session.ts";
import { formatData } from "../table.ts";

export function addWhy(program: Command, session: Session): Command {
  const command = program
    .command("why")
    .description("say in one line what a pod, a container or an image waits for, and since when")
    .argument("<pod|container|image>", "looked for among pods first; also one whose call is still under way")
    .addOption(formatOption())
    .action((name: string, options: FormatOptions) => explain(session, name, options));
  return examples(command, "berth why shop", "berth why shop/web", "berth why registry.example/web:1");
}

async function explain(session: Session, name: string, { output }: FormatOptions): Promise<void> {
  const answer = await session.node.ask(Berth.why, { object: await idOf(session, name) });
  await session.print(output === "table" ? `${answer.line}\n` : formatData([answer], output));
}

/** What is not listed may be under way, and the node knows it by its name. */
async function idOf(session: Session, name: string): Promise<string> {
  const { pods, containers } = await listAll(session.node);
  try {
    const found = findEither(name, pods, containers);
    return found.kind === "pod" ? found.pod.id : found.container.id;
  } catch (failure) {
    if (failure instanceof AgentError && failure.kind === "not-found") return name;
    throw failure;
  }
}
