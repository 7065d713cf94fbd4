import type { Command } from "commander";
import { BerthService as Berth } from "../../generated/berth/v1/berth.ts";
import { findImage } from "../find.ts";
import { imageNames } from "../image-inventory.ts";
import { examples } from "../options.ts";
import type { Session } from "../session.ts";

export function addTag(program: Command, session: Session): Command {
  const command = program
    .command("tag")
    .description("give an image one more name; an image that had it loses it")
    .argument("<image>", "name, id, or beginning of an id")
    .argument("<name>", "[registry/]path[:tag]")
    .action((image: string, name: string) => tag(session, image, name));
  return examples(command, "berth tag registry.example/app:2 registry.example/app:latest", "berth tag 3f57d9401f8d localhost/tools:1");
}

async function tag(session: Session, text: string, target: string): Promise<void> {
  const { id } = findImage(text, await imageNames(session.node, [text]));
  await session.node.ask(Berth.tagImage, { source: `sha256:${id}`, target });
}
