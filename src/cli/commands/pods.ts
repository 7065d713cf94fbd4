import { status } from "@grpc/grpc-js";
import { type Command, Option } from "commander";
import { shortId } from "../../base/ids.ts";
import { PodSandboxStatusRequest, RuntimeServiceService as Runtime } from "../../generated/cri/runtime/v1/api.ts";
import type { NodeClient } from "../client.ts";
import { hasCode } from "../failure.ts";
import { listPods, type PodEntry } from "../inventory.ts";
import { message } from "../message.ts";
import { chosen, type ListOptions, listOptions, printList } from "../list-options.ts";
import { examples } from "../options.ts";
import type { Session } from "../session.ts";
import type { Column } from "../table.ts";
import { formatAge } from "../units.ts";

interface PodRow {
  readonly id: string;
  readonly name: string;
  readonly namespace: string;
  readonly state: "ready" | "notready";
  readonly address: string;
  readonly createdAtNanos: bigint;
  readonly labels: Readonly<Record<string, string>>;
}

interface PodsOptions extends ListOptions {
  readonly state?: PodRow["state"];
}

const columns = (nowMs: number, trunc: boolean): readonly Column<PodRow>[] => [
  { title: "ID", text: ({ id }) => (trunc ? shortId(id) : id) },
  { title: "NAME", text: ({ name }) => name, long: true },
  { title: "NAMESPACE", text: ({ namespace }) => namespace },
  { title: "STATE", text: ({ state }) => state },
  { title: "ADDRESS", text: ({ address }) => address },
  { title: "AGE", text: ({ createdAtNanos }) => formatAge(createdAtNanos, nowMs) },
];

export function addPods(program: Command, session: Session): Command {
  const command = program
    .command("pods")
    .description("list the pods")
    .addOption(new Option("--state <state>", "only those in this state").choices(["ready", "notready"]))
    .action((options: PodsOptions) => printPods(session, options));
  return examples(listOptions(command), "berth pods", "berth pods --state notready -q", "berth pods -l tier=front -o json");
}

async function printPods(session: Session, options: PodsOptions): Promise<void> {
  const { node, world } = session;
  const { state } = options;
  const pods = chosen(
    options,
    (await listPods(node)).filter(({ ready }) => state === undefined || ready === (state === "ready")),
  );
  const rows = await Promise.all(pods.map(async (pod) => toRow(pod, pod.ready ? await addressOf(node, pod.id) : "")));
  await printList(session, options, columns(world.nowMs(), options.trunc), rows);
}

const toRow = ({ id, name, namespace, ready, createdAtNanos, labels }: PodEntry, address: string): PodRow => ({
  id,
  name,
  namespace,
  state: ready ? "ready" : "notready",
  address,
  createdAtNanos,
  labels,
});

/** "" for a pod without one, and for one that was removed since it was listed. */
async function addressOf(node: NodeClient, podSandboxId: string): Promise<string> {
  try {
    const response = await node.ask(Runtime.podSandboxStatus, message(PodSandboxStatusRequest, { podSandboxId }));
    return response.status?.network?.ip ?? "";
  } catch (failure) {
    if (hasCode(failure, status.NOT_FOUND)) return "";
    throw failure;
  }
}
