// Takes everything of a sandbox out of the kernel. Every step may run again, and on what was never made.
import { rm } from "node:fs/promises";
import { allAtOnce, messageOf } from "../base/errors.ts";
import type { ShimClient } from "../native-client/shim.ts";
import { execCgroupPath, type SandboxContext } from "./context.ts";
import type { SandboxRecord } from "./records.ts";
import { isAlive } from "./shims.ts";

// SIGKILL is quick; a process that outlives it sits in the kernel, and the caller should hear of it.
const KILL_TIMEOUT_MS = 10_000;

export async function teardownSandbox(context: SandboxContext, sandbox: SandboxRecord): Promise<void> {
  const { helper, network } = context;
  const shim = endShim(context, sandbox);
  const cgroup = after(shim, () => removeCgroup(context, sandbox));
  await allAtOnce(`take down pod ${sandbox.id}`, [
    shim,
    endPortProxy(context, sandbox),
    // The shim's end has begun to take the namespace away, and the veth pair with it; detaching waits for that.
    after(shim, () => network.release(sandbox.id)),
    cgroup,
    // After the kill, which ends what a command has left.
    after(cgroup, () => removeExecCgroup(context, sandbox)),
    after(shim, () => rm(sandbox.socketPath, { force: true })),
    after(shim, () => helper.removeTree(sandbox.stateDir)),
  ]);
}

/** Begins a step when another has ended, however it ended. */
const after = (earlier: Promise<void>, step: () => Promise<void>): Promise<void> => earlier.then(step, step);

async function removeCgroup(context: SandboxContext, sandbox: SandboxRecord): Promise<void> {
  if (!ownsCgroup(context, sandbox)) return;
  await context.helper.killCgroup({ cgroupPath: sandbox.cgroupPath, timeoutMillis: KILL_TIMEOUT_MS });
  await context.helper.removeCgroup({ cgroupPath: sandbox.cgroupPath, pruneParent: sandbox.cgroupPrune });
}

async function removeExecCgroup(context: SandboxContext, { id, cgroupPath }: SandboxRecord): Promise<void> {
  const path = execCgroupPath(context, id);
  // Else it has gone with the pod's own.
  if (path !== cgroupPath) await context.helper.removeCgroup({ cgroupPath: path, pruneParent: context.ownCgroup });
}

/**
 * Whether the cgroup goes with this pod. One that was there before us is the kubelet's, or somebody else's, and its processes are
 * not ours to kill; one that several pods name as their parent goes with the last of them.
 */
export function ownsCgroup(context: SandboxContext, sandbox: SandboxRecord): boolean {
  const isNamed = sandbox.cgroupPrune === "";
  if (!isNamed) return sandbox.cgroupOwned;
  const others = sharingCgroup(context, sandbox);
  if (others.some(({ state }) => state !== "notready")) return false;
  return sandbox.cgroupOwned || others.some((other) => other.cgroupOwned);
}

export const sharingCgroup = (context: SandboxContext, { id, cgroupPath }: SandboxRecord): SandboxRecord[] =>
  context.byCgroup.get(cgroupPath).filter((other) => other.id !== id);

async function endShim(context: SandboxContext, sandbox: SandboxRecord): Promise<void> {
  const client = context.shims.find(sandbox.id) ?? (await unrecordedShim(context, sandbox));
  if (client?.isOpen === true) {
    try {
      await client.shutdown();
    } catch (failure) {
      context.log.warn({ podSandboxId: sandbox.id, err: messageOf(failure) }, "the shim did not end when asked; it will be killed");
    }
  }
  context.shims.forget(sandbox.id);
  if (sandbox.shim !== undefined && isAlive(sandbox.shim))
    await context.helper.killProcess({ ...sandbox.shim, timeoutMillis: KILL_TIMEOUT_MS });
}

/** A berthd that was killed while the pod was made never heard who its shim is; but where it listens was on record before. */
async function unrecordedShim(context: SandboxContext, sandbox: SandboxRecord): Promise<ShimClient | undefined> {
  if (sandbox.shim !== undefined) return undefined;
  return await context.shims.connect(sandbox).catch(() => undefined);
}

/** It ends by itself when it sees the shim end; the next pod may want its ports before that. */
async function endPortProxy(context: SandboxContext, { portProxy }: SandboxRecord): Promise<void> {
  if (portProxy !== undefined && isAlive(portProxy)) await context.helper.killProcess({ ...portProxy, timeoutMillis: KILL_TIMEOUT_MS });
}
