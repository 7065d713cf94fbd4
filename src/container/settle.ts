// Brings the record of a container to what its shim says of it; the shim was there all the time.
import { kindOf } from "../base/errors.ts";
import type { ContainerId } from "../base/ids.ts";
import { type ShimContainer, ShimContainerPhase } from "../generated/berth/native/shim.ts";
import type { ContainerContext } from "./context.ts";
import { type Exit, processExit, withExit } from "./exit.ts";
import { nextContainerState } from "./state.ts";

// SIGKILL is quick; what outlives it sits in the kernel.
const KILL_TIMEOUT_MS = 10_000;

export async function settle(context: ContainerContext, found: ShimContainer): Promise<void> {
  const id = found.containerId as ContainerId;
  await noteLog(context, id, found);
  if (found.phase === ShimContainerPhase.SHIM_CONTAINER_PHASE_RUNNING) return await recordStart(context, id, found);
  if (found.exit === undefined) return;
  const { exitCode, oomKilled, finishedAtNanos } = found.exit;
  await recordExit(context, id, processExit(exitCode, oomKilled, finishedAtNanos), found.startedAtNanos);
}

/** What an exited container has still to write holds up nobody. */
async function noteLog(context: ContainerContext, id: ContainerId, { phase, logBlocked, logFailure }: ShimContainer): Promise<void> {
  const { blockedLogs, clock, events, records, sandboxes, store } = context;
  const sandboxId = records.get(id)?.sandboxId;
  const sandbox = sandboxId === undefined ? undefined : sandboxes.find(sandboxId);
  if (sandbox === undefined) return;
  const isWaiting = logBlocked && phase === ShimContainerPhase.SHIM_CONTAINER_PHASE_RUNNING;
  if (!blockedLogs.note(id, isWaiting ? logFailure : undefined, clock.nowNanos())) return;
  await store.commit(...events.add("log-blocked", id, sandbox));
}

/** berthd ended between a start and its record. */
async function recordStart(context: ContainerContext, id: ContainerId, found: ShimContainer): Promise<void> {
  await context.lock.run(id, async () => {
    const record = context.records.get(id);
    if (record?.state !== "created") return;
    const running = { ...record, state: nextContainerState(record.state, "start"), pid: found.pid, startedAtNanos: found.startedAtNanos };
    await context.store.commit(context.records.put(running));
  });
}

/** Exited means that no process is left, also of those that share the node's PID namespace. An exit that was recorded stays as it is. */
export async function recordExit(context: ContainerContext, id: ContainerId, exit: Exit, startedAtNanos = 0n): Promise<void> {
  const { activities, exits, helper, lock, records, store } = context;
  const subject = { objectId: id, parentId: records.get(id)?.sandboxId ?? "" };
  await activities.inTurn("record the exit", subject, lock, async () => {
    const record = records.get(id);
    if (record !== undefined && record.state !== "exited") {
      await helper.killCgroup({ cgroupPath: record.cgroupPath, timeoutMillis: KILL_TIMEOUT_MS }).catch((failure: unknown) => {
        // One that never started has none.
        if (kindOf(failure) !== "not-found") throw failure;
      });
      const started = record.startedAtNanos === 0n ? { ...record, startedAtNanos } : record;
      await store.commit(records.put(withExit(started, exit)));
    }
    exits.exited(id);
  });
}
