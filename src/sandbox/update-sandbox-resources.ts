// UpdatePodSandboxResources: the kernel first, all limits or none, then the record. A cgroup that its caller has made, as a kubelet
// does, is the caller's to limit: then it is recorded only.
import { AgentError, during } from "../base/errors.ts";
import type { SandboxContext } from "./context.ts";
import { cgroupLimits } from "./limits.ts";
import { changeResources, podLimits } from "./pod-limits.ts";
import type { Resources, SandboxConfig, SandboxRecord } from "./records.ts";

export interface SandboxResourcesChange {
  readonly resources?: Partial<Resources>;
  readonly overhead?: Partial<Resources>;
}

const NONE: Resources = { oomScoreAdj: 0, unified: {} };

/**
 * The caller holds the sandbox.
 * @throws AgentError failed-precondition for a pod that was stopped, or a limit below what is in use
 */
export async function updateSandboxResources(
  context: SandboxContext,
  sandbox: SandboxRecord,
  change: SandboxResourcesChange,
): Promise<void> {
  await during(`update resources of pod sandbox ${sandbox.id}`, async () => {
    if (sandbox.state !== "ready") throw new AgentError("failed-precondition", `it is ${sandbox.state}`);
    const config: SandboxConfig = {
      ...sandbox.config,
      resources: changed(sandbox.config.resources, change.resources),
      overhead: changed(sandbox.config.overhead, change.overhead),
    };
    const limits = podLimits(config);
    if (sandbox.cgroupOwned && limits !== undefined) {
      await context.helper.updateCgroup({ cgroupPath: sandbox.cgroupPath, limits: cgroupLimits(limits), create: false });
    }
    await context.store.commit(context.records.put({ ...sandbox, config }));
  });
}

const changed = (before: Resources | undefined, change: Partial<Resources> | undefined): Resources | undefined =>
  change === undefined ? before : changeResources(before ?? NONE, change);
