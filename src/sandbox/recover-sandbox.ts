// After a start of berthd: what the records say, compared with what the kernel has.
import { messageOf } from "../base/errors.ts";
import type { SandboxContext } from "./context.ts";
import type { SandboxRecord } from "./records.ts";
import { undoRun } from "./run-sandbox.ts";
import { isAlive } from "./shims.ts";
import { nextSandboxState } from "./state.ts";
import { teardownSandbox } from "./teardown.ts";

/** One pod that can't be settled holds up no other; it is logged, and stays as it was recorded. */
export async function recoverSandboxes(context: SandboxContext): Promise<void> {
  const all = [...context.records.values()];
  await Promise.all(
    all.map(async (sandbox) => {
      try {
        await context.lock.run(sandbox.id, () => recoverSandbox(context, sandbox));
      } catch (failure) {
        context.log.error({ podSandboxId: sandbox.id, err: messageOf(failure) }, "a pod could not be recovered");
      }
    }),
  );
}

async function recoverSandbox(context: SandboxContext, sandbox: SandboxRecord): Promise<void> {
  if (sandbox.state === "planned") return await undoRun(context, sandbox);
  if (sandbox.state === "notready") return;
  if (sandbox.bootId !== context.bootId) return await settleReboot(context, sandbox);
  if (sandbox.shim === undefined || !(await isAlive(sandbox.shim))) return await settleLost(context, sandbox);
  const client = await context.shims.connect(sandbox);
  const hello = await client.hello();
  await context.contents().recover(sandbox.id, hello.containers);
}

/** The shim is gone: its containers have died with it, and the pod is taken down. */
export async function settleLost(context: SandboxContext, sandbox: SandboxRecord): Promise<void> {
  context.log.warn({ podSandboxId: sandbox.id, shimPid: sandbox.shim?.pid }, "the shim of a pod has ended; the pod is taken down");
  context.shims.forget(sandbox.id);
  // The cgroup is emptied before the exits are recorded: exited means that no process is left.
  if (sandbox.cgroupOwned) await context.helper.killCgroup({ cgroupPath: sandbox.cgroupPath, timeoutMillis: 10_000 });
  await context.contents().lost(sandbox.id, sandbox.stateDir);
  await teardownSandbox(context, sandbox);
  await context.store.commit(context.records.put({ ...sandbox, state: nextSandboxState(sandbox.state, "lose") }));
}

async function settleReboot(context: SandboxContext, sandbox: SandboxRecord): Promise<void> {
  await context.contents().rebooted(sandbox.id);
  // Nothing of it is in the kernel; its address and what may be left of its folder go.
  await teardownSandbox(context, { ...sandbox, shim: undefined });
  await context.store.commit(context.records.put({ ...sandbox, state: nextSandboxState(sandbox.state, "lose") }));
}
