// What is on the node, in the words of `find.ts`.
import { AgentError } from "../base/errors.ts";
import {
  type Container,
  type ContainerState,
  ContainerStatusRequest,
  type ContainerStatus,
  ListContainersRequest,
  ListPodSandboxRequest,
  PodSandboxState,
  RuntimeServiceService as Runtime,
} from "../generated/cri/runtime/v1/api.ts";
import type { NodeClient } from "./client.ts";
import type { ContainerName, PodName } from "./find.ts";
import { message } from "./message.ts";

export interface PodEntry extends PodName {
  readonly namespace: string;
  readonly uid: string;
  readonly ready: boolean;
  readonly createdAtNanos: bigint;
  readonly annotations: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
}

export interface ContainerEntry extends ContainerName {
  readonly attempt: number;
  readonly state: ContainerState;
  /** as a person wrote it, where that is known */
  readonly image: string;
  /** "sha256:<hex>" */
  readonly imageId: string;
  readonly createdAtNanos: bigint;
  readonly labels: Readonly<Record<string, string>>;
}

/** Newest first, as are containers. */
export async function listPods(node: NodeClient, signal?: AbortSignal): Promise<PodEntry[]> {
  const { items } = await node.ask(Runtime.listPodSandbox, message(ListPodSandboxRequest, {}), signal);
  const pods = items.map(({ id, metadata, state, createdAt, annotations, labels }) => ({
    id,
    name: metadata?.name ?? "",
    namespace: metadata?.namespace ?? "",
    uid: metadata?.uid ?? "",
    ready: state === PodSandboxState.SANDBOX_READY,
    createdAtNanos: createdAt,
    annotations,
    labels,
  }));
  return pods.sort(newestFirst);
}

async function listContainers(node: NodeClient, signal: AbortSignal | undefined): Promise<ContainerEntry[]> {
  const { containers } = await node.ask(Runtime.listContainers, message(ListContainersRequest, {}), signal);
  return containers.map(toEntry).sort(newestFirst);
}

/** Both lists, for what may be either. */
export async function listAll(node: NodeClient, signal?: AbortSignal): Promise<{ pods: PodEntry[]; containers: ContainerEntry[] }> {
  const [pods, containers] = await Promise.all([listPods(node, signal), listContainers(node, signal)]);
  return { pods, containers };
}

/** @throws ServiceError NOT_FOUND */
export async function containerStatus(node: NodeClient, containerId: string): Promise<ContainerStatus> {
  const { status } = await node.ask(Runtime.containerStatus, message(ContainerStatusRequest, { containerId }));
  if (status === undefined) throw new AgentError("internal", `read status of container ${containerId}: the answer has none`);
  return status;
}

function toEntry({ id, podSandboxId, metadata, state, image, imageId, createdAt, labels }: Container): ContainerEntry {
  return {
    id,
    podId: podSandboxId,
    name: metadata?.name ?? "",
    attempt: metadata?.attempt ?? 0,
    state,
    image: image?.userSpecifiedImage || image?.image || "",
    imageId,
    createdAtNanos: createdAt,
    labels,
  };
}

interface Created {
  readonly createdAtNanos: bigint;
}

const newestFirst = (a: Created, b: Created): number =>
  a.createdAtNanos < b.createdAtNanos ? 1 : a.createdAtNanos > b.createdAtNanos ? -1 : 0;
