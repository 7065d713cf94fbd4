import type { Command } from "commander";
import {
  ContainerState,
  RuntimeServiceService as Runtime,
  StopContainerRequest,
  StopPodSandboxRequest,
} from "../../generated/cri/runtime/v1/api.ts";
import type { NodeClient } from "../client.ts";
import { forEachNamed } from "../each-named.ts";
import { findEither } from "../find.ts";
import { type ContainerEntry, listAll } from "../inventory.ts";
import { message } from "../message.ts";
import { examples, reading } from "../options.ts";
import type { Session } from "../session.ts";
import { parseWhole } from "../units.ts";

const DEFAULT_GRACE_SECONDS = 10;
const LONGEST_GRACE_SECONDS = 2_147_483;

export function addStop(program: Command, session: Session): Command {
  const command = program
    .command("stop")
    .description("stop pods or containers")
    .argument("<pod|container...>", "looked for among pods first")
    .option(
      "-t, --time <seconds>",
      "how long they may take before they are killed",
      reading((text) => parseWhole(text, 0, LONGEST_GRACE_SECONDS)),
      DEFAULT_GRACE_SECONDS,
    )
    .action(async (names: string[], { time }: { readonly time: number }) => {
      const { node } = session;
      const { pods, containers } = await listAll(node);
      await forEachNamed(session, names, async (name) => {
        const found = findEither(name, pods, containers);
        if (found.kind === "container") await stopContainer(node, found.container.id, time);
        else await stopPod(node, found.pod.id, containers, time);
      });
    });
  return examples(command, "berth stop web", "berth stop -t 0 shop shop-2");
}

async function stopPod(node: NodeClient, podSandboxId: string, containers: readonly ContainerEntry[], graceSeconds: number): Promise<void> {
  const running = containers.filter(({ podId, state }) => podId === podSandboxId && state === ContainerState.CONTAINER_RUNNING);
  // One that would not stop is killed with the pod, and if that fails too, it is told there.
  await Promise.allSettled(running.map(({ id }) => stopContainer(node, id, graceSeconds)));
  await node.ask(Runtime.stopPodSandbox, message(StopPodSandboxRequest, { podSandboxId }));
}

async function stopContainer(node: NodeClient, containerId: string, graceSeconds: number): Promise<void> {
  await node.ask(Runtime.stopContainer, message(StopContainerRequest, { containerId, timeout: BigInt(graceSeconds) }));
}
