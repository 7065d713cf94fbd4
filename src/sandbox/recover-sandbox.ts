// After a start of berthd: what the records say, compared with what the kernel has.
import { withBackoff } from "../base/backoff.ts";
import { messageOf } from "../base/errors.ts";
import type { SandboxId } from "../base/ids.ts";
import type { Log } from "../base/log.ts";
import type { ShimClient } from "../native-client/shim.ts";
import type { SandboxContext } from "./context.ts";
import type { SandboxRecord } from "./records.ts";
import { undoRun } from "./run-sandbox.ts";
import { isAlive } from "./shims.ts";
import { nextSandboxState } from "./state.ts";
import { ownsCgroup, teardownSandbox } from "./teardown.ts";

// A pod whose shim does not answer goes on being recovered under its lock while the others are served.
const LONGEST_WAIT_MS = 2000;

/** One pod that can't be settled holds up no other; it is tried again, and stays as it was recorded until then. */
export async function recoverSandboxes(context: SandboxContext): Promise<void> {
  const all = [...context.records.values()].map(({ id }) => recoverUntilDone(context, id));
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, LONGEST_WAIT_MS);
  });
  await Promise.race([Promise.all(all), late]);
  clearTimeout(timer);
}

async function recoverUntilDone(context: SandboxContext, id: SandboxId): Promise<void> {
  await untilSettled(context.log, id, async () => {
    await context.activities.inTurn("recover the pod", { objectId: id }, context.lock, async () => {
      const sandbox = context.records.get(id);
      if (sandbox !== undefined) await recoverSandbox(context, sandbox);
    });
  });
}

const SETTLE_BACKOFF = { firstMs: 100, mostMs: 30_000 };

/** What the kernel has done must come to be recorded: a disk that is full, or a helper that is away, only puts it off. */
export async function untilSettled(log: Log, podSandboxId: SandboxId, work: () => Promise<void>): Promise<void> {
  const again = (failure: unknown): boolean => {
    log.error({ podSandboxId, err: messageOf(failure) }, "a pod could not be settled; it is tried again");
    return true;
  };
  await withBackoff(SETTLE_BACKOFF, again, work);
}

/** Under its lock. */
export async function recoverSandbox(context: SandboxContext, sandbox: SandboxRecord): Promise<void> {
  if (sandbox.state === "planned") return await undoRun(context, sandbox);
  if (sandbox.state === "notready") return await context.contents().undoPlanned(sandbox.id);
  if (sandbox.bootId !== context.bootId) return await settleReboot(context, sandbox);
  if (sandbox.shim === undefined || !isAlive(sandbox.shim)) return await settleLost(context, sandbox);
  const client = context.shims.find(sandbox.id) ?? (await connect(context, sandbox));
  if (client === undefined) return;
  const hello = await client.hello();
  await context.contents().recover(sandbox.id, hello.containers);
  await lookAtPortProxy(context, sandbox);
}

/** One that this build does not understand goes on as it is: the build that has made it may come back. */
async function connect(context: SandboxContext, sandbox: SandboxRecord): Promise<ShimClient | undefined> {
  try {
    return await context.shims.connect(sandbox);
  } catch (failure) {
    if (context.shims.problem(sandbox.id) === undefined) throw failure;
    context.log.error({ podSandboxId: sandbox.id, err: messageOf(failure) }, "a pod can't be driven by this build; it goes on without it");
    return undefined;
  }
}

const PROXY_LOST = "the port proxy has ended: the pod's host ports are not served on loopback addresses any more";

/** It takes no part in the pod's life, so its loss is told and the pod goes on. */
async function lookAtPortProxy(context: SandboxContext, sandbox: SandboxRecord): Promise<void> {
  const { id, portProxy, warnings } = sandbox;
  if (portProxy === undefined || warnings.includes(PROXY_LOST) || isAlive(portProxy)) return;
  context.log.warn({ podSandboxId: id, portProxyPid: portProxy.pid }, PROXY_LOST);
  await context.store.commit(context.records.put({ ...sandbox, warnings: [...warnings, PROXY_LOST] }));
}

/** The shim is gone: its containers have died with it, and the pod is taken down. */
export async function settleLost(context: SandboxContext, sandbox: SandboxRecord): Promise<void> {
  context.log.warn({ podSandboxId: sandbox.id, shimPid: sandbox.shim?.pid }, "the shim of a pod has ended; the pod is taken down");
  context.shims.forget(sandbox.id);
  // The cgroup is emptied before the exits are recorded: exited means that no process is left.
  if (ownsCgroup(context, sandbox)) await context.helper.killCgroup({ cgroupPath: sandbox.cgroupPath, timeoutMillis: 10_000 });
  await context.contents().lost(sandbox.id, sandbox.stateDir);
  await teardownSandbox(context, sandbox);
  await context.store.commit(context.records.put({ ...sandbox, state: nextSandboxState(sandbox.state, "lose") }));
}

async function settleReboot(context: SandboxContext, sandbox: SandboxRecord): Promise<void> {
  await context.contents().rebooted(sandbox.id);
  // Nothing of it is in the kernel; its address and what may be left of its folder go.
  await teardownSandbox(context, { ...sandbox, shim: undefined, portProxy: undefined });
  await context.store.commit(context.records.put({ ...sandbox, state: nextSandboxState(sandbox.state, "lose") }));
}
