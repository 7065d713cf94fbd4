import type { Command } from "commander";
import { AgentError } from "../../base/errors.ts";
import {
  ContainerFilter,
  ContainerState,
  ListContainersRequest,
  RemoveContainerRequest,
  RuntimeServiceService as Runtime,
} from "../../generated/cri/runtime/v1/api.ts";
import { forEachNamed } from "../each-named.ts";
import { findEither } from "../find.ts";
import { type ContainerEntry, listAll, type PodEntry } from "../inventory.ts";
import { message } from "../message.ts";
import { examples } from "../options.ts";
import { removePod } from "../remove-pod.ts";
import { MADE_FOR_ONE_ANNOTATION } from "../run-config.ts";
import type { Session } from "../session.ts";

export function addRm(program: Command, session: Session): Command {
  const command = program
    .command("rm")
    .description("remove pods with their containers, or containers")
    .argument("<pod|container...>", "looked for among pods first")
    .option("-f, --force", "those too that are ready or running")
    .action(async (names: string[], { force }: { readonly force?: boolean }) => {
      const { pods, containers } = await listAll(session.node);
      await forEachNamed(session, names, async (name) => {
        const found = findEither(name, pods, containers);
        if (found.kind === "pod") await removeOnePod(session, found.pod, force === true);
        else await removeOneContainer(session, found.container, pods, force === true);
      });
    });
  return examples(command, "berth rm shop", "berth rm -f shop/web");
}

async function removeOnePod(session: Session, pod: PodEntry, force: boolean): Promise<void> {
  if (pod.ready && !force) throw new AgentError("failed-precondition", `remove pod ${pod.name}: it is ready; stop it first, or give -f`);
  await removePod(session.node, pod);
}

/** A pod that `berth run` made for one container goes with its last. */
async function removeOneContainer(
  session: Session,
  { id, name, state, podId }: ContainerEntry,
  pods: readonly PodEntry[],
  force: boolean,
): Promise<void> {
  if (state === ContainerState.CONTAINER_RUNNING && !force)
    throw new AgentError("failed-precondition", `remove container ${name}: it is running; stop it first, or give -f`);
  await session.node.ask(Runtime.removeContainer, message(RemoveContainerRequest, { containerId: id }));
  const pod = pods.find((each) => each.id === podId && each.annotations[MADE_FOR_ONE_ANNOTATION] === "true");
  if (pod === undefined) return;
  // Asked now: others may have come since, or gone before it in the same command.
  const filter = message(ContainerFilter, { podSandboxId: podId });
  const { containers } = await session.node.ask(Runtime.listContainers, message(ListContainersRequest, { filter }));
  if (containers.length === 0) await removePod(session.node, pod);
}
