import type { Command } from "commander";
import { examples, reading } from "../options.ts";
import { parseRegistry } from "../registry-argument.ts";
import { eraseCredentials } from "../registry-credentials.ts";
import type { Session } from "../session.ts";

export function addLogout(program: Command, session: Session): Command {
  const command = program
    .command("logout")
    .description("forget what `berth login` has kept")
    .argument("<registry>", "as in names of images", reading(parseRegistry))
    .action(async (registry: string) => {
      const had = await eraseCredentials(registry, session.world.env);
      await session.print(had ? `signed out of ${registry}\n` : `you were not signed in to ${registry}\n`);
    });
  return examples(command, "berth logout registry.example");
}
