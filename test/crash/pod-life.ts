// One pod from RunPodSandbox to RemovePodSandbox, with its containers, as its kubelet would drive it.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import type { Message } from "../lib/cri.ts";
import type { PodStatus } from "../lib/pods.ts";
import { createContainer, looksRight, removeContainer, stopContainer, takeStep } from "./container-life.ts";
import { Violation } from "./journal.ts";
import { allowedPodStates, type ContainerModel, podModel, type PodModel } from "./model.ts";
import type { Random } from "./random.ts";
import { pause, PodLost, type World } from "./world.ts";

const MOST_STEPS = 12;
const LOOK_AGAIN_MS = 50;

export interface PodLife {
  readonly world: World;
  readonly random: Random;
  readonly pod: PodModel;
  readonly config: Message;
  readonly containers: ContainerModel[];
  /** whether what a container has written may not be in its log yet when it has exited */
  readonly isLogLate?: () => boolean;
}

/** @param hostPort one that no other pod has at the same time */
export async function livePod(world: World, random: Random, name: string, hostPort: number): Promise<void> {
  const pod = podModel(name);
  const config = await randomConfig(world, random, name, hostPort);
  const life: PodLife = { world, random, pod, config, containers: [] };
  world.pods.add(pod);
  try {
    await runPod(life);
    for (let left = random.between(3, MOST_STEPS); left > 0 && !world.aborted; left--) {
      await (life.containers.length === 0 || random.chance(15) ? createContainer(life) : takeStep(life, random.pick(life.containers)));
      if (random.chance(30)) await looksRightAll(life);
    }
  } catch (failure) {
    if (!(failure instanceof PodLost)) throw failure;
    await settled(life);
  }
  await removePod(life);
  world.pods.delete(pod);
}

async function randomConfig(world: World, random: Random, name: string, hostPort: number): Promise<Message> {
  const logDirectory = join(world.node.logs, name);
  await mkdir(logDirectory);
  const isClosed = random.chance(20);
  const hasPort = !isClosed && random.chance(30);
  const pid = random.chance(20) ? "POD" : "CONTAINER";
  return {
    metadata: { name, namespace: "crash", uid: name, attempt: 0 },
    log_directory: logDirectory,
    annotations: isClosed ? { "berth.io/network": "none" } : {},
    port_mappings: hasPort ? [{ protocol: "TCP", container_port: 80, host_port: hostPort }] : [],
    linux: { security_context: { namespace_options: { pid } } },
  };
}

export async function runPod({ world, random, pod, config }: PodLife): Promise<void> {
  const { pod_sandbox_id } = await world.call<{ pod_sandbox_id: string }>(
    pod.name,
    "RunPodSandbox",
    { config },
    {
      random,
      settled: async ({ code }) => {
        if (code !== status.ALREADY_EXISTS) return undefined;
        const { items } = await world.call<{ items: readonly { id: string; metadata: { uid: string } }[] }>(pod.name, "ListPodSandbox", {});
        const [found, ...others] = items.filter(({ metadata }) => metadata.uid === pod.name);
        if (others.length > 0) throw new Violation(`${pod.name}: is there ${others.length + 1} times`);
        return found === undefined ? undefined : { pod_sandbox_id: found.id };
      },
    },
  );
  pod.id = pod_sandbox_id;
  const { status: seen, info } = await podStatus(world, pod);
  if (seen.state !== "SANDBOX_READY") throw new Violation(`${pod.name}: was run, and is ${seen.state}`);
  pod.address = seen.network.ip;
  const twin = [...world.pods].find(
    (other) =>
      other !== pod && pod.address !== "" && other.address === pod.address && other.stopped === "no" && other.shimKilledAtMs === undefined,
  );
  if (twin !== undefined) throw new Violation(`${pod.name}: has the address ${pod.address}, and so has ${twin.name}`);
  pod.shimPid = Number(JSON.parse(info["info"] ?? "{}").shimPid);
  world.journal.step(pod.name, `is ${pod.id.slice(0, 13)}, address ${pod.address || "none"}, shim ${pod.shimPid}`);
}

const podStatus = (world: World, pod: PodModel): Promise<PodStatus> =>
  world.call<PodStatus>(pod.name, "PodSandboxStatus", { pod_sandbox_id: pod.id, verbose: true });

async function looksRightAll(life: PodLife): Promise<void> {
  const { world, pod } = life;
  const allowed = allowedPodStates(pod);
  const { state, network } = (await podStatus(world, pod)).status;
  if (![...allowed, ...allowedPodStates(pod)].includes(state.replace("SANDBOX_", "")))
    throw new Violation(`${pod.name}: is ${state}, and may be ${allowed.join(", ")}`);
  if (state === "SANDBOX_READY" && network.ip !== pod.address) throw new Violation(`${pod.name}: has ${network.ip}, had ${pod.address}`);
  for (const container of life.containers) if (container.removed === "no") await looksRight(life, container);
}

/** Its shim was killed: within a second of Berth running its containers have exited, and it is not ready. */
async function settled(life: PodLife): Promise<void> {
  const { world, pod } = life;
  for (;;) {
    const isDue = pod.shimKilledAtMs !== undefined && world.isDue(pod.shimKilledAtMs);
    const states = [(await podStatus(world, pod)).status.state];
    for (const container of life.containers) if (container.removed === "no") states.push(await looksRight(life, container));
    if (states.every((state) => /NOTREADY|EXITED/.test(state))) return;
    if (isDue) throw new Violation(`${pod.name}: its shim was killed, and it is still ${states.join(", ")}`);
    await pause(LOOK_AGAIN_MS);
  }
}

export async function removePod(life: PodLife): Promise<void> {
  const { world, random, pod, containers } = life;
  if (pod.shimKilledAtMs !== undefined) await settled(life);
  for (const container of containers) {
    if (container.removed === "no" && random.chance(30)) await stopContainer(life, container);
    if (container.removed === "no" && random.chance(30)) await removeContainer(life, container);
  }
  if (random.chance(60)) {
    pod.stopped = "asked";
    await world.call(pod.name, "StopPodSandbox", { pod_sandbox_id: pod.id }, { random });
    pod.stopped = "done";
    await looksRightAll(life);
  }
  if (pod.stopped === "no") pod.stopped = "asked";
  pod.removed = "asked";
  await world.call(pod.name, "RemovePodSandbox", { pod_sandbox_id: pod.id }, { random });
  pod.removed = "done";
  await isGone(life);
}

async function isGone({ world, pod }: PodLife): Promise<void> {
  const { items } = await world.call<{ items: readonly { id: string }[] }>(pod.name, "ListPodSandbox", {});
  if (items.some(({ id }) => id === pod.id)) throw new Violation(`${pod.name}: was removed, and is still listed`);
  const { containers } = await world.call<{ containers: readonly { pod_sandbox_id: string }[] }>(pod.name, "ListContainers", {});
  if (containers.some(({ pod_sandbox_id }) => pod_sandbox_id === pod.id))
    throw new Violation(`${pod.name}: was removed, and has containers`);
}
