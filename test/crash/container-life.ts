// Steps in the life of a container, each followed by a look at what it has done.
import { existsSync } from "node:fs";
import { rename } from "node:fs/promises";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { cgroupFile } from "../lib/kernel.ts";
import type { ContainerStatus, ExecAnswer } from "../lib/pods.ts";
import { Violation } from "./journal.ts";
import { logFault, rotated } from "./log-lines.ts";
import { allowedStates, type ContainerModel, type Program } from "./model.ts";
import type { PodLife } from "./pod-life.ts";
import { randomProgram } from "./programs.ts";
import type { Failure } from "./world.ts";

const MIB = 1024 * 1024;
const STOP_TIMEOUT_SECONDS = 10;

const logPath = ({ config }: PodLife, { name }: ContainerModel): string => join(String(config["log_directory"]), `${name}.log`);

export async function createContainer(life: PodLife): Promise<void> {
  const container = await create(life, randomProgram(life.random));
  if (life.random.chance(85)) await start(life, container);
}

export const nameOfNext = ({ pod, containers }: PodLife): string => `${pod.name}-${containers.length}`;

export async function create(life: PodLife, program: Program): Promise<ContainerModel> {
  const { world, random, pod, config, containers } = life;
  const name = nameOfNext(life);
  const request = {
    pod_sandbox_id: pod.id,
    config: {
      metadata: { name, attempt: 0 },
      image: { image: world.node.image },
      command: program.command,
      mounts: program.writer?.mounts ?? [],
      log_path: `${name}.log`,
      linux: config["linux"],
    },
    sandbox_config: config,
  };
  const { container_id } = await world.call<{ container_id: string }>(name, "CreateContainer", request, {
    random,
    pod,
    settled: async ({ code }) => {
      if (code !== status.ALREADY_EXISTS) return undefined;
      const all = await world.call<{ containers: readonly { id: string; metadata: { name: string } }[] }>(name, "ListContainers", {});
      const [found, ...others] = all.containers.filter(({ metadata }) => metadata.name === name);
      if (others.length > 0) throw new Violation(`${name}: is there ${others.length + 1} times`);
      return found === undefined ? undefined : { container_id: found.id };
    },
  });
  const container: ContainerModel = {
    name,
    id: container_id,
    pod,
    program,
    started: "no",
    stopped: "no",
    stopTimeouts: [],
    removed: "no",
    memoryLimits: [],
    rotations: 0,
    exit: undefined,
    pid: undefined,
  };
  containers.push(container);
  await looksRight(life, container);
  return container;
}

export async function takeStep(life: PodLife, container: ContainerModel): Promise<void> {
  const { random } = life;
  if (container.removed !== "no") return;
  if (container.started === "no") return await start(life, container);
  switch (random.weighted({ exec: 30, update: 20, rotate: 20, look: 10, stop: 12, remove: 8 })) {
    case "exec":
      return await exec(life, container);
    case "update":
      return await update(life, container);
    case "rotate":
      return await rotate(life, container);
    case "look":
      return void (await looksRight(life, container));
    case "stop":
      return await stopContainer(life, container);
    case "remove":
      return await removeContainer(life, container);
  }
}

export async function start(life: PodLife, container: ContainerModel): Promise<void> {
  const { world, random, pod } = life;
  container.started = "asked";
  await world.call<object>(
    container.name,
    "StartContainer",
    { container_id: container.id },
    {
      random,
      pod,
      // An earlier try has started it, and berthd was killed before it could say so.
      settled: async ({ code, details }) =>
        code === status.FAILED_PRECONDITION && / it is (running|exited)/.test(details) ? {} : undefined,
    },
  );
  container.started = "done";
  await looksRight(life, container);
}

/** @returns the state that it is in @throws Violation when the model does not allow it */
export async function looksRight(life: PodLife, container: ContainerModel): Promise<string> {
  const { world } = life;
  const { name } = container;
  const before = allowedStates(container);
  const { status: seen, info } = await world.call<ContainerStatus>(name, "ContainerStatus", { container_id: container.id, verbose: true });
  const isExited = seen.state === "CONTAINER_EXITED";
  const state = isExited ? `EXITED ${seen.exit_code} ${seen.reason}` : seen.state.replace("CONTAINER_", "");
  // A shim may have been killed while the question was under way.
  if (![...before, ...allowedStates(container)].includes(state))
    throw new Violation(`${name}: is ${state} (${seen.message}), and may be ${before.join(" or ")}`);
  if (isExited && container.exit === undefined) {
    container.exit = state;
    world.journal.step(name, `is ${state}`);
    const fault = logFault(container, logPath(life, container));
    if (fault !== undefined && life.isLogLate?.() !== true) throw new Violation(`${name}: ${fault}`);
    // Both are looked at again.
    if (fault !== undefined) container.exit = undefined;
  }
  if (state === "RUNNING") sameProcess(container, Number(JSON.parse(info["info"] ?? "{}").pid));
  return state;
}

function sameProcess(container: ContainerModel, pid: number): void {
  container.pid ??= pid;
  if (pid !== container.pid) throw new Violation(`${container.name}: is process ${pid}, and was ${container.pid}`);
}

/** Whether it runs until it is stopped: nothing but a killed shim is an excuse then. */
const runsOn = ({ program, started, stopped, exit }: ContainerModel): boolean =>
  program.exitCode === undefined && started === "done" && stopped === "no" && exit === undefined;

async function exec(life: PodLife, container: ContainerModel): Promise<void> {
  const { world, random, pod } = life;
  if (!runsOn(container)) return void (await looksRight(life, container));
  const [word, code] = [`word-${random.below(1000)}`, random.below(10)];
  const command = ["sh", "-c", `echo ${word}; sleep 0.${random.below(3)}; exit ${code}`];
  const answer = await world.call<ExecAnswer>(
    container.name,
    "ExecSync",
    { container_id: container.id, cmd: command, timeout: 0 },
    { random, pod },
  );
  if (pod.shimKilledAtMs !== undefined) return;
  if (answer.exit_code !== code || answer.stdout.toString() !== `${word}\n`)
    throw new Violation(`${container.name}: ${command.join(" ")} gave ${answer.exit_code}, ${JSON.stringify(answer.stdout.toString())}`);
}

async function update(life: PodLife, container: ContainerModel): Promise<void> {
  const { world, random, pod } = life;
  if (!runsOn(container)) return void (await looksRight(life, container));
  const limit = random.between(64, 256) * MIB;
  await world.call(
    container.name,
    "UpdateContainerResources",
    { container_id: container.id, linux: { memory_limit_in_bytes: limit } },
    { random, pod },
  );
  const { info } = await world.call<ContainerStatus>(container.name, "ContainerStatus", { container_id: container.id, verbose: true });
  if (pod.shimKilledAtMs !== undefined) return;
  const path = String(JSON.parse(info["info"] ?? "{}").cgroupPath);
  const found = Number(cgroupFile(path, "memory", "memory.limit_in_bytes", "memory.max"));
  if (found !== limit && pod.shimKilledAtMs === undefined)
    throw new Violation(`${container.name}: its memory limit was set to ${limit}, and is ${found}`);
}

// Refused on a full disk, where the file may end in the middle of a line; or not answered, by a berthd that was killed.
const NOT_REOPENED: readonly status[] = [status.RESOURCE_EXHAUSTED, status.UNAVAILABLE, status.CANCELLED, status.DEADLINE_EXCEEDED];

/** As a kubelet does it: it asks once, and without an answer gives the file its name back, whatever is there by then. */
export async function rotate(life: PodLife, container: ContainerModel): Promise<void> {
  const { world, random, pod } = life;
  if (!runsOn(container)) return void (await looksRight(life, container));
  const path = logPath(life, container);
  container.rotations += 1;
  await rename(path, rotated(path, container.rotations));
  const { isRefused } = await world.call<{ isRefused?: boolean }>(
    container.name,
    "ReopenContainerLog",
    { container_id: container.id },
    { random, pod, settled: async ({ code }) => (NOT_REOPENED.includes(code) ? { isRefused: true } : undefined) },
  );
  world.journal.count(isRefused === true ? "rotation that was not done, or not answered" : "rotation");
  if (isRefused === true) {
    await rename(rotated(path, container.rotations), path);
    container.rotations -= 1;
  }
  if (!existsSync(path)) throw new Violation(`${container.name}: its log was reopened, and ${path} is not there`);
}

export async function stopContainer(life: PodLife, container: ContainerModel): Promise<void> {
  const { world, random } = life;
  const timeout = random.chance(50) ? 0 : STOP_TIMEOUT_SECONDS;
  container.stopTimeouts.push(timeout);
  container.stopped = "asked";
  await world.call(container.name, "StopContainer", { container_id: container.id, timeout }, { random, pod: container.pod });
  // One that was never started is not ended by a stop.
  if (container.started !== "no") container.stopped = "done";
  await looksRight(life, container);
}

export async function removeContainer(life: PodLife, container: ContainerModel): Promise<void> {
  const { world, random } = life;
  container.stopped = "asked";
  container.removed = "asked";
  await world.call(container.name, "RemoveContainer", { container_id: container.id }, { random, pod: container.pod });
  container.removed = "done";
  const isMissing = async ({ code }: Failure): Promise<object | undefined> => (code === status.NOT_FOUND ? {} : undefined);
  const answer = await world.call<object>(container.name, "ContainerStatus", { container_id: container.id }, { settled: isMissing });
  if (Object.keys(answer).length > 0) throw new Violation(`${container.name}: was removed, and is still there`);
}
