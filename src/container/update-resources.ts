// UpdateContainerResources: the kernel first, all limits or none, then the record. A container that was not started yet takes
// its limits from the record when it is.
import { AgentError, refuseWhereStrict, wrap } from "../base/errors.ts";
import type { ContainerId } from "../base/ids.ts";
import { cgroupLimits } from "../sandbox/limits.ts";
import { changeResources } from "../sandbox/pod-limits.ts";
import type { Resources } from "../sandbox/records.ts";
import type { ContainerContext, FindContainer } from "./context.ts";
import { appliedResources, ociResources, oomScoreAdj } from "./spec/resources.ts";

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
    const resources = changeResources(before, change);
    const changed = { ...container, config: { ...container.config, resources } };
    try {
      // Values that no kernel takes are refused before anything is written.
      const { warnings } = ociResources(resources, container.config.security.privileged, context.node);
      const score = oomScoreAdj(resources.oomScoreAdj, context.node, warnings);
      warnings.unshift(...(container.config.notApplied ?? []));
      refuseWhereStrict(context.strict, warnings);
      if (container.state === "created") return await context.store.commit(context.records.put(changed));
      await context.helper.updateCgroup({
        cgroupPath: container.cgroupPath,
        limits: cgroupLimits({ oomScoreAdj: 0, ...withPartners(change, resources), unified: change.unified ?? {} }),
        create: false,
        oomScoreAdj: change.oomScoreAdj === undefined ? undefined : score,
      });
      const applied = { appliedResources: appliedResources(resources, context.node), warnings };
      await context.store.commit(context.records.put({ ...changed, ...applied }));
    } catch (failure) {
      throw wrap(failure, `update resources of container ${id}`);
    }
  });
}

const PARTNERS = [
  ["memoryLimitBytes", "memorySwapLimitBytes"],
  ["cpuQuotaMicros", "cpuPeriodMicros"],
] as const;

/** What v2 writes of the one takes the other into account, so both are told when one changes. */
function withPartners(change: Partial<Resources>, resources: Resources): Partial<Resources> {
  const named = PARTNERS.filter((pair) => pair.some((limit) => change[limit] !== undefined)).flat();
  return { ...change, ...Object.fromEntries(named.map((limit) => [limit, resources[limit]])) };
}
