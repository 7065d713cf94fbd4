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
  /** with --shims: of its build */
  readonly shim?: string;
}

interface PodsOptions extends ListOptions {
  readonly state?: PodRow["state"];
  readonly shims?: boolean;
}

const columns = (nowMs: number, { trunc, shims }: PodsOptions): readonly Column<PodRow>[] => [
  { title: "ID", text: ({ id }) => (trunc ? shortId(id) : id) },
  { title: "NAME", text: ({ name }) => name, long: true },
  { title: "NAMESPACE", text: ({ namespace }) => namespace },
  { title: "STATE", text: ({ state }) => state },
  { title: "ADDRESS", text: ({ address }) => address },
  { title: "AGE", text: ({ createdAtNanos }) => formatAge(createdAtNanos, nowMs) },
  ...(shims === true ? [{ title: "SHIM", text: ({ shim }: PodRow) => shim ?? "" }] : []),
];

export function addPods(program: Command, session: Session): Command {
  const command = program
    .command("pods")
    .description("list the pods")
    .addOption(new Option("--state <state>", "only those in this state").choices(["ready", "notready"]))
    .option("--shims", "with the version of each pod's shim, and whether new pods get another build of it")
    .action((options: PodsOptions) => printPods(session, options));
  return examples(
    listOptions(command),
    "berth pods",
    "berth pods --state notready -q",
    "berth pods -l tier=front -o json",
    "berth pods --shims",
  );
}

async function printPods(session: Session, options: PodsOptions): Promise<void> {
  const { node, world } = session;
  const { state } = options;
  const pods = chosen(
    options,
    (await listPods(node)).filter(({ ready }) => state === undefined || ready === (state === "ready")),
  );
  const rows = await Promise.all(
    pods.map(async (pod) => toRow(pod, pod.ready ? await detailsOf(node, pod.id, options.shims === true) : {})),
  );
  await printList(session, options, columns(world.nowMs(), options), rows);
}

interface Details {
  readonly address?: string;
  readonly shim?: string;
}

const toRow = ({ id, name, namespace, ready, createdAtNanos, labels }: PodEntry, { address = "", ...more }: Details): PodRow => ({
  id,
  name,
  namespace,
  state: ready ? "ready" : "notready",
  address,
  createdAtNanos,
  labels,
  ...more,
});

/** None of a pod that was removed since it was listed. */
async function detailsOf(node: NodeClient, podSandboxId: string, verbose: boolean): Promise<Details> {
  try {
    const { status: found, info } = await node.ask(Runtime.podSandboxStatus, message(PodSandboxStatusRequest, { podSandboxId, verbose }));
    const address = found?.network?.ip ?? "";
    return verbose ? { address, shim: shimOf(info["info"] ?? "{}") } : { address };
  } catch (failure) {
    if (hasCode(failure, status.NOT_FOUND)) return {};
    throw failure;
  }
}

/** "0.1.0", "0.1.0, another build", "unknown, another build" */
function shimOf(details: string): string {
  const { shimBuild = {} } = JSON.parse(details) as { shimBuild?: { version?: string; isInstalled?: boolean; problem?: string } };
  const version = shimBuild.version || "unknown";
  if (shimBuild.problem !== undefined) return `${version}, can't be driven`;
  return shimBuild.isInstalled === false ? `${version}, another build` : version;
}
