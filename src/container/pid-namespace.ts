// Which PID namespace a container is started in.
import { AgentError, kindOf } from "../base/errors.ts";
import { asContainerId, type ContainerId, type SandboxId } from "../base/ids.ts";
import type { Stages } from "../base/timeline.ts";
import type { ShimClient } from "../native-client/shim.ts";
import type { SandboxRecord } from "../sandbox/records.ts";
import type { ContainerRecord } from "./records.ts";
import type { PidNamespace } from "./spec/build-spec.ts";

/** What is needed of the container module. */
interface Context {
  readonly records: { get(id: ContainerId): ContainerRecord | undefined };
  readonly sandboxes: { shim(id: SandboxId): Pick<ShimClient, "ensurePodPid"> };
}

/**
 * Makes the pod's own when this container is the first to ask for it.
 *
 * @throws AgentError failed-precondition when the target does not run, or the pod's shim is too old to share a namespace
 */
export async function pidNamespace(
  context: Context,
  container: ContainerRecord,
  sandbox: SandboxRecord,
  stages: Stages,
): Promise<PidNamespace> {
  const { pid } = container.config.security;
  if (pid === "container") return "own";
  if (pid === "target") return { of: runningTarget(context, container).pid };
  // A pod that was asked for with the node's has no other to share.
  if (pid === "node" || sandbox.config.pid === "node") return "node";
  return { of: await stages.time("pid namespace", () => podPid(context, sandbox)) };
}

/** @throws AgentError invalid-argument for a target that is none of the pod, failed-precondition for one that does not run */
export function checkPidTarget(context: Context, container: ContainerRecord): void {
  if (container.config.security.pid === "target") runningTarget(context, container);
}

function runningTarget(context: Context, container: ContainerRecord): ContainerRecord {
  const id = asContainerId(container.config.security.pidTarget);
  const target = context.records.get(id);
  if (target === undefined || target.state === "planned" || target.sandboxId !== container.sandboxId) {
    throw new AgentError("invalid-argument", `join PID namespace of container ${id}: it is no container of pod ${container.sandboxId}`);
  }
  if (target.state !== "running" || target.pid === 0) {
    throw new AgentError("failed-precondition", `join PID namespace of container ${id}: it is ${target.state}`);
  }
  return target;
}

async function podPid(context: Context, sandbox: SandboxRecord): Promise<number> {
  try {
    return await context.sandboxes.shim(sandbox.id).ensurePodPid();
  } catch (failure) {
    if (kindOf(failure) !== "unimplemented") throw failure;
    throw new AgentError(
      "failed-precondition",
      `share a PID namespace in pod ${sandbox.id}: its shim is of an older build that can't; run the pod anew`,
      { cause: failure },
    );
  }
}
