import { status } from "@grpc/grpc-js";
import type { Command } from "commander";
import { shortId } from "../../base/ids.ts";
import { PodSandboxStatusRequest, RuntimeServiceService as Runtime } from "../../generated/cri/runtime/v1/api.ts";
import type { NodeClient } from "../client.ts";
import { hasCode } from "../failure.ts";
import { listPods, type PodEntry } from "../inventory.ts";
import { message } from "../message.ts";
import { examples, type FormatOptions, formatOption, printRows } from "../options.ts";
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
}

const columns = (nowMs: number): readonly Column<PodRow>[] => [
  { title: "ID", text: ({ id }) => shortId(id) },
  { title: "NAME", text: ({ name }) => name },
  { title: "NAMESPACE", text: ({ namespace }) => namespace },
  { title: "STATE", text: ({ state }) => state },
  { title: "ADDRESS", text: ({ address }) => address },
  { title: "AGE", text: ({ createdAtNanos }) => formatAge(createdAtNanos, nowMs) },
];

export function addPods(program: Command, session: Session): Command {
  const command = program
    .command("pods")
    .description("list the pods")
    .addOption(formatOption())
    .action((options: FormatOptions) => printPods(session, options));
  return examples(command, "berth pods", "berth pods -o json");
}

async function printPods(session: Session, options: FormatOptions): Promise<void> {
  const { node, world } = session;
  const pods = await listPods(node);
  const rows = await Promise.all(pods.map(async (pod) => toRow(pod, pod.ready ? await addressOf(node, pod.id) : "")));
  await printRows(session, options, columns(world.nowMs()), rows);
}

const toRow = ({ id, name, namespace, ready, createdAtNanos }: PodEntry, address: string): PodRow => ({
  id,
  name,
  namespace,
  state: ready ? "ready" : "notready",
  address,
  createdAtNanos,
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
