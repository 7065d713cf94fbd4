// StopContainer: the stop signal, the grace period, then SIGKILL. Idempotent; a missing id is success.
import { constants } from "node:os";
import type { ShowStage } from "../base/activity.ts";
import { AgentError, kindOf, wrap } from "../base/errors.ts";
import type { ContainerId } from "../base/ids.ts";
import type { ContainerContext } from "./context.ts";
import { unknownExit, withExit } from "./exit.ts";
import type { ContainerRecord } from "./records.ts";
import { settle } from "./settle.ts";
import { hears, signalNumber } from "./stop-signal.ts";

const SIGTERM = constants.signals.SIGTERM;
const SIGKILL = constants.signals.SIGKILL;
// A process that outlives SIGKILL for so long sits in the kernel; the caller should hear of it and try again.
const KILL_WAIT_MS = 30_000;
// A program that has no handler so long after its start means to have none.
const HANDLER_WAIT_NANOS = 2_000_000_000n;
const HANDLER_LOOK_MS = 10;

/** @param graceMs how long the process may take to end by itself; 0 kills at once */
export async function stopContainer(context: ContainerContext, id: ContainerId, graceMs: number): Promise<void> {
  try {
    const subject = { objectId: id, parentId: context.records.get(id)?.sandboxId ?? "" };
    if (await context.activities.during("StopContainer", subject, (show) => signalTwice(context, id, graceMs, show))) return;
  } catch (failure) {
    throw wrap(failure, `stop container ${id}`);
  }
  throw new AgentError("deadline-exceeded", `stop container ${id}: it is still there ${KILL_WAIT_MS} ms after SIGKILL`);
}

async function signalTwice(context: ContainerContext, id: ContainerId, graceMs: number, show: ShowStage): Promise<boolean> {
  if (graceMs > 0 && (await signalAndWait(context, id, stopSignal(context, id), graceMs, show))) return true;
  return await signalAndWait(context, id, SIGKILL, KILL_WAIT_MS, show);
}

/** @returns true when it has exited. The lock is not held while waiting: the exit needs it. */
async function signalAndWait(
  context: ContainerContext,
  id: ContainerId,
  signal: number,
  timeoutMs: number,
  show: ShowStage,
): Promise<boolean> {
  if (context.lock.isHeld(id)) show("lock");
  const waiting = await context.lock.run(id, async () => {
    const container = context.records.get(id);
    if (container?.state === "unknown") await settleUnknown(context, id);
    if (container?.state !== "running") return undefined;
    const exited = context.exits.wait(id, timeoutMs);
    const shim = context.sandboxes.findShim(container.sandboxId);
    show("handler");
    await handlerIsThere(context, container, signal, timeoutMs);
    // Without a shim its loss is being settled, which records the exit.
    const isThere = await shim?.signal(id, signal).then(
      () => true,
      (failure: unknown) => {
        if (kindOf(failure) !== "not-found") throw failure;
        return false;
      },
    );
    show(`signal ${signal}`, context.clock.nowNanos() + BigInt(Math.round(timeoutMs)) * 1_000_000n);
    return { exited, shim: isThere === false ? shim : undefined };
  });
  if (waiting === undefined) return true;
  // The process has ended already: its event may have come and gone before we waited.
  const found = (await waiting.shim?.hello())?.containers.find((each) => each.containerId === id);
  if (found !== undefined) await settle(context, found);
  return await waiting.exited;
}

/** A stop may come before a program that was just started can hear it. */
async function handlerIsThere(context: ContainerContext, container: ContainerRecord, signal: number, timeoutMs: number): Promise<void> {
  const isFirstOfNamespace = container.config.security.pid === "container";
  const deadline = performance.now() + timeoutMs;
  while (isFirstOfNamespace && context.clock.nowNanos() - container.startedAtNanos < HANDLER_WAIT_NANOS && performance.now() < deadline) {
    if (hears(container.pid, signal)) return;
    await new Promise((resolve) => setTimeout(resolve, HANDLER_LOOK_MS));
  }
}

async function settleUnknown(context: ContainerContext, id: ContainerId): Promise<void> {
  const container = context.records.get(id);
  if (container === undefined) return;
  await context.sandboxes.findShim(container.sandboxId)?.deleteContainer(id);
  const exit = unknownExit("its state could not be found out", context.clock.nowNanos());
  await context.store.commit(context.records.put(withExit(container, exit)));
}

function stopSignal(context: ContainerContext, id: ContainerId): number {
  const container = context.records.get(id);
  const name = container === undefined ? "" : container.config.stopSignal || context.images.get(container.imageId).config.stopSignal;
  return name === "" ? SIGTERM : signalNumber(name);
}
