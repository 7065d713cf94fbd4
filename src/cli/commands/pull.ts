import type { Command } from "commander";
import { registryOf } from "../../base/registry-name.ts";
import { RegistryCredentials } from "../../generated/berth/v1/berth.ts";
import { UsageError } from "../failure.ts";
import { Interrupts } from "../interrupts.ts";
import { message } from "../message.ts";
import { examples } from "../options.ts";
import { pullImage } from "../pull-image.ts";
import { credentialsFor } from "../registry-credentials.ts";
import type { Session } from "../session.ts";

interface PullOptions {
  readonly creds?: string;
  readonly quiet?: boolean;
}

export function addPull(program: Command, session: Session): Command {
  const command = program
    .command("pull")
    .description("fetch an image from its registry")
    .argument("<image>")
    .option("--creds <user:password>", "sign in with these, and not with those of `berth login`")
    .option("-q, --quiet", "print the image's id, and nothing on the way")
    .action((reference: string, options: PullOptions) => pull(session, reference, options));
  return examples(command, "berth pull docker.io/library/busybox", "berth pull --creds ci:secret registry.example/app:2");
}

async function pull(session: Session, reference: string, { creds, quiet }: PullOptions): Promise<void> {
  const { world } = session;
  const credentials = creds === undefined ? await credentialsFor(registryOf(reference), world.env) : parseCredentials(creds);
  using interrupts = new Interrupts(world);
  const startedAtMs = world.nowMs();
  try {
    const id = await pullImage(session, reference, credentials, interrupts.first, quiet === true);
    const seconds = (world.nowMs() - startedAtMs) / 1000;
    await session.print(quiet === true ? `${id}\n` : `${reference} ${id} ${seconds.toFixed(1)}s\n`);
  } catch (failure) {
    if (!interrupts.first.aborted) throw failure;
    await session.fail(interrupts.first.reason);
    session.exitCode = interrupts.exitCode;
  }
}

// Read here and not by the option, whose failures repeat what was typed: it is a password.
function parseCredentials(text: string): RegistryCredentials {
  const colon = text.indexOf(":");
  if (colon <= 0) throw new UsageError("--creds is not of the form USER:PASSWORD");
  return message(RegistryCredentials, { username: text.slice(0, colon), password: text.slice(colon + 1) });
}
