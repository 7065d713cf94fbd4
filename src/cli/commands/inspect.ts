import { type Command, Option } from "commander";
import { AgentError } from "../../base/errors.ts";
import {
  ContainerStatusRequest,
  ImageServiceService as Images,
  ImageSpec,
  ImageStatusRequest,
  PodSandboxStatusRequest,
  RuntimeServiceService as Runtime,
} from "../../generated/cri/runtime/v1/api.ts";
import type { NodeClient } from "../client.ts";
import { type FoundObject, findObject, OBJECT_TYPES, type ObjectType } from "../find-object.ts";
import { imageNames } from "../image-inventory.ts";
import { formatInspections, inspectContainer, inspectImage, inspectPod } from "../inspect-object.ts";
import { listAll } from "../inventory.ts";
import { message } from "../message.ts";
import { examples } from "../options.ts";
import type { Session } from "../session.ts";

interface InspectOptions {
  readonly type?: ObjectType;
  readonly output: "json" | "yaml";
}

export function addInspect(program: Command, session: Session): Command {
  const command = program
    .command("inspect")
    .description("print all that the node says of pods, containers or images, as an array")
    .argument("<pod|container|image...>", "looked for among all of them")
    .addOption(new Option("--type <type>", "look among these only").choices(OBJECT_TYPES))
    .addOption(new Option("-o, --output <format>", "how to print").choices(["json", "yaml"]).default("json"))
    .action((names: string[], options: InspectOptions) => inspect(session, names, options));
  return examples(
    command,
    "berth inspect shop",
    "berth inspect shop/web docker.io/library/busybox:latest",
    "berth inspect --type image web",
  );
}

async function inspect(session: Session, names: readonly string[], { type, output }: InspectOptions): Promise<void> {
  const { node } = session;
  const [lists, images] = await Promise.all([listAll(node), imageNames(node, names)]);
  const objects = [];
  for (const name of names) {
    try {
      objects.push(await ask(node, findObject(name, { ...lists, images }, type)));
    } catch (failure) {
      await session.fail(failure);
    }
  }
  await session.print(formatInspections(objects, output));
}

async function ask(node: NodeClient, { type, id }: FoundObject): Promise<ReturnType<typeof inspectPod>> {
  const verbose = true;
  if (type === "pod")
    return inspectPod(await node.ask(Runtime.podSandboxStatus, message(PodSandboxStatusRequest, { podSandboxId: id, verbose })));
  if (type === "container")
    return inspectContainer(await node.ask(Runtime.containerStatus, message(ContainerStatusRequest, { containerId: id, verbose })));
  const image = message(ImageSpec, { image: `sha256:${id}` });
  const answer = await node.ask(Images.imageStatus, message(ImageStatusRequest, { image, verbose }));
  if (answer.image === undefined) throw new AgentError("not-found", `inspect image ${id}: it was removed`);
  return inspectImage(answer);
}
