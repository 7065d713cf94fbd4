import { status } from "@grpc/grpc-js";
import { type Command, Option } from "commander";
import { shortId } from "../../base/ids.ts";
import { ContainerState } from "../../generated/cri/runtime/v1/api.ts";
import type { NodeClient } from "../client.ts";
import { hasCode } from "../failure.ts";
import { findPod } from "../find.ts";
import { type ContainerEntry, containerStatus, listAll } from "../inventory.ts";
import { chosen, type ListOptions, listOptions, printList } from "../list-options.ts";
import { examples } from "../options.ts";
import type { Session } from "../session.ts";
import type { Column } from "../table.ts";
import { formatAge } from "../units.ts";

interface ContainerRow {
  readonly id: string;
  readonly name: string;
  /** its name */
  readonly pod: string;
  readonly state: string;
  /** null unless it has exited */
  readonly exit: number | null;
  readonly image: string;
  readonly createdAtNanos: bigint;
  readonly labels: Readonly<Record<string, string>>;
}

interface PsOptions extends ListOptions {
  readonly all?: boolean;
  readonly state?: string;
  readonly pod?: string;
}

const STATES: ReadonlyMap<ContainerState, string> = new Map([
  [ContainerState.CONTAINER_CREATED, "created"],
  [ContainerState.CONTAINER_RUNNING, "running"],
  [ContainerState.CONTAINER_EXITED, "exited"],
]);

const columns = (nowMs: number, trunc: boolean): readonly Column<ContainerRow>[] => [
  { title: "ID", text: ({ id }) => (trunc ? shortId(id) : id) },
  { title: "NAME", text: ({ name }) => name },
  { title: "POD", text: ({ pod }) => pod },
  { title: "STATE", text: ({ state }) => state },
  { title: "EXIT", text: ({ exit }) => (exit === null ? "-" : String(exit)), right: true },
  { title: "IMAGE", text: ({ image }) => image, long: true },
  { title: "AGE", text: ({ createdAtNanos }) => formatAge(createdAtNanos, nowMs) },
];

export function addPs(program: Command, session: Session): Command {
  const command = program
    .command("ps")
    .description("list the running containers")
    .argument("[pod]", "of this pod only")
    .option("--pod <name>", "the same")
    .option("-a, --all", "those too that do not run; so does --state, and -n")
    .addOption(new Option("--state <state>", "only those in this state").choices([...STATES.values()]))
    .action((pod: string | undefined, options: PsOptions) => printContainers(session, pod, options));
  return examples(listOptions(command), "berth ps", "berth ps -a shop", "berth ps --state exited -l tier=front -q", "berth ps -a -o json");
}

async function printContainers(session: Session, podText: string | undefined, options: PsOptions): Promise<void> {
  const { node, world } = session;
  const { pods, containers } = await listAll(node);
  const named = podText ?? options.pod;
  const pod = named === undefined ? undefined : findPod(named, pods);
  const podNames = new Map(pods.map(({ id, name }) => [id, name]));
  const all = options.all === true || options.last !== undefined;
  const inState = (state: ContainerState): boolean =>
    options.state === undefined ? all || state === ContainerState.CONTAINER_RUNNING : STATES.get(state) === options.state;
  const matching = containers.filter(({ podId, state }) => (pod === undefined || podId === pod.id) && inState(state));
  const shown = chosen(options, matching);
  const rows = await Promise.all(
    shown.map(
      async (container): Promise<ContainerRow> => ({
        id: container.id,
        name: container.name,
        pod: podNames.get(container.podId) ?? shortId(container.podId),
        state: STATES.get(container.state) ?? "unknown",
        exit: await exitCodeOf(node, container),
        image: container.image,
        createdAtNanos: container.createdAtNanos,
        labels: container.labels,
      }),
    ),
  );
  await printList(session, options, columns(world.nowMs(), options.trunc), rows);
}

/** null for one that runs, and for one that was removed since it was listed. */
async function exitCodeOf(node: NodeClient, { id, state }: ContainerEntry): Promise<number | null> {
  if (state !== ContainerState.CONTAINER_EXITED) return null;
  try {
    return (await containerStatus(node, id)).exitCode;
  } catch (failure) {
    if (hasCode(failure, status.NOT_FOUND)) return null;
    throw failure;
  }
}
