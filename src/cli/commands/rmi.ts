import type { Command } from "commander";
import { AgentError } from "../../base/errors.ts";
import { ImageServiceService as Images, ImageSpec, RemoveImageRequest } from "../../generated/cri/runtime/v1/api.ts";
import { forEachNamed } from "../each-named.ts";
import { findImage } from "../find.ts";
import { imageNames } from "../image-inventory.ts";
import { imageUsers } from "../image-users.ts";
import { listAll } from "../inventory.ts";
import { message } from "../message.ts";
import { examples } from "../options.ts";
import type { Session } from "../session.ts";

export function addRmi(program: Command, session: Session): Command {
  const command = program
    .command("rmi")
    .description("remove images, with all their names")
    .argument("<image...>", "name, id, or beginning of an id")
    .option("-f, --force", "those too that containers use; what they need of them stays as long as they do")
    .action((names: string[], { force }: { readonly force?: boolean }) => removeImages(session, names, force === true));
  return examples(command, "berth rmi docker.io/library/busybox:latest", "berth rmi -f 3f57d9401f8d");
}

async function removeImages(session: Session, names: readonly string[], force: boolean): Promise<void> {
  const { node } = session;
  const [images, { pods, containers }] = await Promise.all([imageNames(node, names), listAll(node)]);
  await forEachNamed(session, names, async (name) => {
    const id = `sha256:${findImage(name, images).id}`;
    const users = imageUsers(id, pods, containers);
    if (users !== "" && !force)
      throw new AgentError("failed-precondition", `remove image ${name}: it is used by ${users}; remove what uses it first, or give -f`);
    await node.ask(Images.removeImage, message(RemoveImageRequest, { image: message(ImageSpec, { image: id }) }));
  });
}
