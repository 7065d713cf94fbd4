import type { Command } from "commander";
import { AuthConfig, ImageServiceService as Images, ImageSpec, PullImageRequest } from "../../generated/cri/runtime/v1/api.ts";
import { UsageError } from "../failure.ts";
import { message } from "../message.ts";
import { examples } from "../options.ts";
import type { Session } from "../session.ts";

interface PullOptions {
  readonly creds?: string;
}

export function addPull(program: Command, session: Session): Command {
  const command = program
    .command("pull")
    .description("fetch an image from its registry")
    .argument("<image>")
    .option("--creds <user:password>", "sign in to the registry")
    .action((reference: string, options: PullOptions) => pull(session, reference, options));
  return examples(command, "berth pull docker.io/library/busybox", "berth pull --creds ci:secret registry.example/app:2");
}

async function pull(session: Session, reference: string, { creds }: PullOptions): Promise<void> {
  const auth = creds === undefined ? undefined : parseCredentials(creds);
  const startedAtMs = session.world.nowMs();
  const request = message(PullImageRequest, { image: message(ImageSpec, { image: reference }), auth });
  const { imageRef } = await session.node.ask(Images.pullImage, request);
  const seconds = (session.world.nowMs() - startedAtMs) / 1000;
  await session.print(`${reference} ${imageRef} ${seconds.toFixed(1)}s\n`);
}

// Read here and not by the option, whose failures repeat what was typed: it is a password.
function parseCredentials(text: string): AuthConfig {
  const colon = text.indexOf(":");
  if (colon <= 0) throw new UsageError("--creds is not of the form USER:PASSWORD");
  return message(AuthConfig, { username: text.slice(0, colon), password: text.slice(colon + 1) });
}
