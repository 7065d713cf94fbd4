// The steps of `berth run` up to a running container. A run that fails on the way takes back what it has made.
import { randomBytes, randomUUID } from "node:crypto";
import { AgentError } from "../base/errors.ts";
import {
  CreateContainerRequest,
  ImageServiceService as Images,
  ImageSpec,
  ImageStatusRequest,
  RemoveContainerRequest,
  RunPodSandboxRequest,
  RuntimeServiceService as Runtime,
  StartContainerRequest,
} from "../generated/cri/runtime/v1/api.ts";
import { registryOf } from "../base/registry-name.ts";
import type { NodeClient } from "./client.ts";
import { listAll, type PodEntry } from "./inventory.ts";
import { message } from "./message.ts";
import { pullImage } from "./pull-image.ts";
import { credentialsFor } from "./registry-credentials.ts";
import { removePod } from "./remove-pod.ts";
import { containerConfig, podConfig } from "./run-config.ts";
import { defaultName, parseName, type PullPolicy, type RunOptions } from "./run-options.ts";
import { nextAttempt, podToJoin } from "./run-target.ts";
import type { Session } from "./session.ts";

export interface StartedContainer {
  readonly podId: string;
  readonly containerId: string;
  /** Removes all that the run has made: the container, and the pod unless it was there before. */
  remove(): Promise<void>;
}

type MadePod = Pick<PodEntry, "id" | "name" | "namespace" | "uid" | "annotations">;

/** @param interrupted ends the run at the next step, and a pull at once */
export async function startContainer(
  session: Session,
  image: string,
  command: readonly string[],
  options: RunOptions,
  interrupted: AbortSignal,
): Promise<StartedContainer> {
  const { node } = session;
  const name = options.name ?? defaultName(image);
  // What can be refused is refused before the image is fetched.
  const { pods, containers } = await listAll(node);
  const joined = podToJoin(options, pods);
  const podName = joined?.name ?? newPodName(options, name);
  const attempt = joined === undefined ? 0 : nextAttempt(name, joined, containers);
  const imageId = await ensureImage(session, image, options.pull ?? "missing", interrupted);
  interrupted.throwIfAborted();
  const pod = joined ?? (await makePod(node, options, podName));
  let remove = joined === undefined ? () => removePod(node, pod) : async () => {};
  try {
    interrupted.throwIfAborted();
    const config = containerConfig(options, { name, attempt, image, imageId, command });
    const { containerId } = await node.ask(Runtime.createContainer, message(CreateContainerRequest, { podSandboxId: pod.id, config }));
    if (joined !== undefined) remove = () => removeContainer(node, containerId);
    interrupted.throwIfAborted();
    await node.ask(Runtime.startContainer, message(StartContainerRequest, { containerId }));
    return { podId: pod.id, containerId, remove };
  } catch (failure) {
    await remove().catch((second: unknown) => session.fail(second));
    throw failure;
  }
}

async function ensureImage(session: Session, reference: string, policy: PullPolicy, interrupted: AbortSignal): Promise<string> {
  const image = message(ImageSpec, { image: reference });
  if (policy !== "always") {
    const found = await session.node.ask(Images.imageStatus, message(ImageStatusRequest, { image }), interrupted);
    if (found.image !== undefined) return found.image.id;
    if (policy === "never") throw new AgentError("not-found", `run ${reference}: the image is not on this node, and is not to be pulled`);
  }
  await session.print(`berth: pulls ${reference}\n`, "stderr");
  const { env } = session.world;
  return await pullImage(session, reference, await credentialsFor(registryOf(reference), env), interrupted, false);
}

// Of at most 63 characters, as any name.
const newPodName = ({ pod }: RunOptions, containerName: string): string =>
  pod === undefined ? `${containerName.slice(0, 58)}-${randomBytes(2).toString("hex")}` : parseName(pod);

async function makePod(node: NodeClient, options: RunOptions, name: string): Promise<MadePod> {
  const config = podConfig(options, name, randomUUID());
  const { podSandboxId } = await node.ask(Runtime.runPodSandbox, message(RunPodSandboxRequest, { config }));
  const { namespace = "", uid = "" } = config.metadata ?? {};
  return { id: podSandboxId, name, namespace, uid, annotations: config.annotations };
}

async function removeContainer(node: NodeClient, containerId: string): Promise<void> {
  await node.ask(Runtime.removeContainer, message(RemoveContainerRequest, { containerId }));
}
