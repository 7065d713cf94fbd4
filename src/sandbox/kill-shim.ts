// The end of a pod whose shim can't be asked to stop anything: all it has is killed with it.
import { kindOf } from "../base/errors.ts";
import type { SandboxId } from "../base/ids.ts";
import type { SandboxContext } from "./context.ts";
import { settleLost } from "./recover-sandbox.ts";
import type { SandboxRecord, ShimIdentity } from "./records.ts";

// It does little at a time. One that says nothing for so long hangs, and so would its pod's end.
const ANSWERS_WITHIN_MS = 5000;
const KILL_TIMEOUT_MS = 10_000;

/** Whether the shim of a pod is there, and says nothing. */
export async function hangs({ shims }: SandboxContext, id: SandboxId): Promise<boolean> {
  try {
    await shims.find(id)?.hello(ANSWERS_WITHIN_MS);
    return false;
  } catch (failure) {
    return kindOf(failure) === "deadline-exceeded";
  }
}

/** Under the pod's lock. @param problem of a shim that this build does not understand */
export async function killShim(
  context: SandboxContext,
  sandbox: SandboxRecord,
  shim: ShimIdentity,
  problem = "it does not answer",
): Promise<void> {
  context.log.warn({ podSandboxId: sandbox.id, shimPid: shim.pid, problem }, "the shim of a pod that is to end is killed");
  await context.helper.killProcess({ ...shim, timeoutMillis: KILL_TIMEOUT_MS });
  await settleLost(context, sandbox);
}
