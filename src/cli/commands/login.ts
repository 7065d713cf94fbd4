import { text } from "node:stream/consumers";
import type { Command } from "commander";
import { BerthService as Berth, RegistryCredentials } from "../../generated/berth/v1/berth.ts";
import { UsageError } from "../failure.ts";
import { message } from "../message.ts";
import { examples, reading } from "../options.ts";
import { ask, askSecret } from "../prompt.ts";
import { parseRegistry } from "../registry-argument.ts";
import { storeCredentials } from "../registry-credentials.ts";
import type { Session } from "../session.ts";

interface LoginOptions {
  readonly username?: string;
  readonly passwordStdin?: boolean;
}

export function addLogin(program: Command, session: Session): Command {
  const command = program
    .command("login")
    .description("keep what you sign in to a registry with, for `berth pull` and `berth run`; it is tried first")
    .argument("<registry>", "as in names of images; docker.io is Docker Hub", reading(parseRegistry))
    .option("-u, --username <name>", "asked for without it")
    .option("--password-stdin", "read the password from standard input")
    .action((registry: string, options: LoginOptions) => login(session, registry, options));
  return examples(command, "berth login registry.example", "berth login -u ci --password-stdin registry.example < password");
}

async function login(session: Session, registry: string, options: LoginOptions): Promise<void> {
  const { node, world } = session;
  const { username, password } = await readPassword(session, options);
  if (username === "" || password === "") throw new UsageError("the name or the password is empty");
  const { askedFor } = await node.ask(Berth.checkCredentials, {
    registry,
    credentials: message(RegistryCredentials, { username, password }),
  });
  const place = await storeCredentials(registry, username, password, world.env);
  if (!askedFor) await session.print(`berth: ${registry} lets everybody in, so the password was not checked\n`, "stderr");
  await session.print(`signed in to ${registry} as ${username}; the password is in ${place}\n`);
}

async function readPassword(session: Session, { username, passwordStdin }: LoginOptions): Promise<{ username: string; password: string }> {
  const { stdin } = session.world;
  if (passwordStdin === true) {
    if (username === undefined) throw new UsageError("--password-stdin leaves no place to ask for the name: give -u");
    return { username, password: (await text(stdin)).replace(/\r?\n$/, "") };
  }
  if (stdin.isTTY !== true) throw new UsageError("standard input is no terminal: give -u and --password-stdin");
  return { username: username ?? (await ask(session, "Name: ")).trim(), password: await askSecret(session, "Password: ") };
}
