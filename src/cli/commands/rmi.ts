import type { Command } from "commander";
import { AgentError } from "../../base/errors.ts";
import { BerthService as Berth } from "../../generated/berth/v1/berth.ts";
import { ImageServiceService as Images, ImageSpec, RemoveImageRequest } from "../../generated/cri/runtime/v1/api.ts";
import { forEachNamed } from "../each-named.ts";
import { findImage } from "../find.ts";
import { imageNames } from "../image-inventory.ts";
import { imageUsers } from "../image-users.ts";
import { listAll } from "../inventory.ts";
import { message } from "../message.ts";
import { examples } from "../options.ts";
import type { Session } from "../session.ts";

interface RmiOptions {
  readonly all?: boolean;
  readonly force?: boolean;
}

export function addRmi(program: Command, session: Session): Command {
  const command = program
    .command("rmi")
    .description("take names from images; an image goes with its last name, and by its id with all of them")
    .argument("<image...>", "name, id, or beginning of an id")
    .option("-a, --all", "the whole image, with its other names too")
    .option("-f, --force", "those too that containers use; what they need of them stays as long as they do")
    .action((names: string[], options: RmiOptions) => removeImages(session, names, options));
  return examples(command, "berth rmi docker.io/library/busybox:latest", "berth rmi -f 3f57d9401f8d");
}

async function removeImages(session: Session, names: readonly string[], { all, force }: RmiOptions): Promise<void> {
  const { node } = session;
  const [images, { pods, containers }] = await Promise.all([imageNames(node, names), listAll(node)]);
  await forEachNamed(session, names, async (name) => {
    const found = findImage(name, images);
    const id = `sha256:${found.id}`;
    const users = force === true ? "" : imageUsers(id, pods, containers);
    const refuse = (): never => {
      throw new AgentError("failed-precondition", `remove image ${name}: it is used by ${users}; remove what uses it first, or give -f`);
    };
    if (all !== true && found.name === name) {
      const { wasLast } = await node.ask(Berth.untagImage, { name, keepLast: users !== "" });
      if (wasLast && users !== "") refuse();
      return;
    }
    if (users !== "") refuse();
    await node.ask(Images.removeImage, message(RemoveImageRequest, { image: message(ImageSpec, { image: id }) }));
  });
}
