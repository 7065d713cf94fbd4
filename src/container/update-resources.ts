// UpdateContainerResources: the kernel first, all limits or none, then the record. A container that was not started yet takes
// its limits from the record when it is.
import { AgentError, wrap } from "../base/errors.ts";
import type { ContainerId } from "../base/ids.ts";
import { cgroupLimits } from "../sandbox/limits.ts";
import type { Resources } from "../sandbox/records.ts";
import type { ContainerContext, FindContainer } from "./context.ts";
import { ociResources } from "./spec/resources.ts";

/** @throws AgentError failed-precondition for a container that has ended, or a limit below what is in use */
export async function updateResources(
  context: ContainerContext,
  find: FindContainer,
  id: ContainerId,
  change: Partial<Resources>,
): Promise<void> {
  await context.lock.run(id, async () => {
    const container = find(id);
    if (container.state !== "created" && container.state !== "running") {
      throw new AgentError("failed-precondition", `update resources of container ${id}: it is ${container.state}`);
    }
    const { resources: before } = container.config;
    const resources: Resources = { ...before, ...change, unified: { ...before.unified, ...change.unified } };
    try {
      // Values that no kernel takes are refused before anything is written.
      ociResources(resources, container.config.security.privileged, context.node);
      if (container.state === "running") {
        const limits = cgroupLimits({ oomScoreAdj: 0, unified: {}, ...change });
        await context.helper.updateCgroup({ cgroupPath: container.cgroupPath, limits, create: false });
      }
      await context.store.commit(context.records.put({ ...container, config: { ...container.config, resources } }));
    } catch (failure) {
      throw wrap(failure, `update resources of container ${id}`);
    }
  });
}
