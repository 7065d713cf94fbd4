// Pods with what they and their running containers use, in one question to the helper.
import type { ContainerRecord } from "../container/records.ts";
import type { SandboxRecord } from "../sandbox/records.ts";
import type { Figures, MeasuredUsage } from "../stats/usage-service.ts";
import type { Engine } from "./engine.ts";

interface MeasuredContainer {
  readonly container: ContainerRecord;
  readonly usage: MeasuredUsage;
  readonly isLogBlocked: boolean;
}

export interface MeasuredSandbox {
  readonly sandbox: SandboxRecord;
  readonly usage: MeasuredUsage;
  readonly containers: readonly MeasuredContainer[];
}

/** One that ends meanwhile is left out, pod or container. */
export async function measureSandboxes(engine: Engine, sandboxes: readonly SandboxRecord[], figures: Figures): Promise<MeasuredSandbox[]> {
  const wanted = new Set<string>(sandboxes.map((sandbox) => sandbox.id));
  const containers = engine.containers.list().filter((container) => container.state === "running" && wanted.has(container.sandboxId));
  const usages = await engine.usage.ofPods(sandboxes, containers, figures);
  const bySandbox = Map.groupBy(containers, (container) => container.sandboxId);
  return sandboxes.flatMap((sandbox) => {
    const usage = usages.get(sandbox.id);
    return usage === undefined ? [] : [{ sandbox, usage, containers: measured(engine, bySandbox.get(sandbox.id) ?? [], usages) }];
  });
}

const measured = (
  { containers: service }: Engine,
  containers: readonly ContainerRecord[],
  usages: ReadonlyMap<string, MeasuredUsage>,
): MeasuredContainer[] =>
  containers.flatMap((container) => {
    const usage = usages.get(container.id);
    return usage === undefined ? [] : [{ container, usage, isLogBlocked: service.isLogBlocked(container) }];
  });
