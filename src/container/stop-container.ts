// StopContainer: the stop signal, the grace period, then SIGKILL. Idempotent; a missing id is success.
import { constants } from "node:os";
import { AgentError, kindOf, wrap } from "../base/errors.ts";
import type { ContainerId } from "../base/ids.ts";
import type { ContainerContext } from "./context.ts";
import { unknownExit, withExit } from "./exit.ts";

const SIGTERM = constants.signals.SIGTERM;
const SIGKILL = constants.signals.SIGKILL;
// A process that outlives SIGKILL for so long sits in the kernel; the caller should hear of it and try again.
const KILL_WAIT_MS = 30_000;

/** @param graceMs how long the process may take to end by itself; 0 kills at once */
export async function stopContainer(context: ContainerContext, id: ContainerId, graceMs: number): Promise<void> {
  try {
    if (graceMs > 0 && (await signalAndWait(context, id, stopSignal(context, id), graceMs))) return;
    if (await signalAndWait(context, id, SIGKILL, KILL_WAIT_MS)) return;
  } catch (failure) {
    throw wrap(failure, `stop container ${id}`);
  }
  throw new AgentError("deadline-exceeded", `stop container ${id}: it is still there ${KILL_WAIT_MS} ms after SIGKILL`);
}

/** @returns true when it has exited. The lock is not held while waiting: the exit needs it. */
async function signalAndWait(context: ContainerContext, id: ContainerId, signal: number, timeoutMs: number): Promise<boolean> {
  const waiting = await context.lock.run(id, async () => {
    const container = context.records.get(id);
    if (container?.state === "unknown") await settleUnknown(context, id);
    if (container?.state !== "running") return undefined;
    const exited = context.exits.wait(id, timeoutMs);
    const shim = context.sandboxes.findShim(container.sandboxId);
    // Without a shim its loss is being settled, which records the exit.
    await shim?.signal(id, signal).catch((failure: unknown) => {
      if (kindOf(failure) !== "not-found") throw failure;
    });
    return { exited };
  });
  return waiting === undefined || (await waiting.exited);
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
  const name = container === undefined ? "" : context.images.get(container.imageId).config.stopSignal;
  return name === "" ? SIGTERM : signalNumber(name);
}

/** An image's stop signal, "SIGQUIT", "QUIT" or "3"; one that does not exist is as if none were named. */
export function signalNumber(name: string): number {
  if (/^\d{1,2}$/.test(name)) return Number(name) >= 1 && Number(name) <= 64 ? Number(name) : SIGTERM;
  const full = name.startsWith("SIG") ? name : `SIG${name}`;
  const numbers: Readonly<Record<string, number>> = constants.signals;
  return numbers[full] ?? SIGTERM;
}
