// Cgroups of pods and containers, over all hierarchies. What is below a parent that others may use too is theirs until a record
// names it, so there only what is missing is told.
import { dirname } from "node:path";
import type { ContainerRecord } from "../container/records.ts";
import { execCgroupPath } from "../sandbox/context.ts";
import { podLimits } from "../sandbox/pod-limits.ts";
import type { SandboxRecord } from "../sandbox/records.ts";
import type { Difference } from "./difference.ts";
import type { Found } from "./look.ts";
import type { Places, Records } from "./records.ts";

export function compareCgroups({ sandboxes, containers }: Records, { cgroups, truncated }: Found, places: Places): Difference[] {
  const live = sandboxes.filter(({ state }) => state !== "notready");
  const pods = new Map(live.map((sandbox) => [sandbox.cgroupPath, sandbox]));
  const ofExecs = new Set(live.map(({ id }) => execCgroupPath({ ownCgroup: places.cgroupParent }, id)));
  const inside = new Map(containers.map((container) => [container.cgroupPath, container]));
  const found = new Map(cgroups.map((cgroup) => [cgroup.path, cgroup]));
  const own = cgroups.map(({ path }) => path).filter((path) => places.ownsCgroupParent && path.startsWith(`${places.cgroupParent}/`));
  const stray = own
    .filter((path) => !pods.has(path) && !inside.has(path) && !ofExecs.has(path))
    // What is below one that goes, goes with it.
    .filter((path) => dirname(path) === places.cgroupParent || pods.has(dirname(path)))
    .map((path) => strayCgroup(path, pods, places.cgroupParent));
  if (truncated) return stray;
  const lost = [...pods.values()].flatMap((sandbox) => {
    const cgroup = found.get(sandbox.cgroupPath);
    if (sandbox.state !== "ready" || (cgroup !== undefined && cgroup.hierarchies >= cgroup.ofHierarchies)) return [];
    // The kubelet makes what it wants limits for.
    if (cgroup !== undefined && !sandbox.cgroupOwned) return [];
    return [lostCgroup(sandbox, cgroup === undefined)];
  });
  const ready = new Set<string>(sandboxes.filter(({ state }) => state === "ready").map(({ id }) => id));
  const running = containers.filter(({ state, sandboxId }) => state === "running" && ready.has(sandboxId));
  return [...stray, ...lost, ...running.filter(({ cgroupPath }) => !found.has(cgroupPath)).map(lostOfContainer)];
}

function strayCgroup(path: string, pods: ReadonlyMap<string, SandboxRecord>, cgroupParent: string): Difference {
  const sandbox = pods.get(dirname(path));
  const name = path.slice(path.lastIndexOf("/") + 1);
  const owner = sandbox === undefined ? { sandboxId: name, containerId: "" } : { sandboxId: sandbox.id, containerId: name };
  const mend = { step: "remove-cgroup", path, pruneParent: sandbox === undefined ? cgroupParent : "" } as const;
  const problem = sandbox === undefined ? "no pod that is ready has it on record" : "no container has it on record";
  return { class: "cgroup", object: path, ...owner, problem, mend };
}

function lostCgroup({ id, cgroupPath, cgroupOwned, config }: SandboxRecord, everywhere: boolean): Difference {
  const problem = everywhere ? "it is not there, and its pod is ready" : "it is not there in every hierarchy, and its pod is ready";
  const mend = cgroupOwned
    ? ({ step: "make-cgroup", path: cgroupPath, resources: podLimits(config) } as const)
    : ({ step: "none", advice: "who made it has taken it away: stop the pod" } as const);
  return { class: "cgroup", object: cgroupPath, sandboxId: id, containerId: "", problem, mend };
}

const lostOfContainer = ({ id, sandboxId, cgroupPath }: ContainerRecord): Difference => ({
  class: "cgroup",
  object: cgroupPath,
  sandboxId,
  containerId: id,
  problem: "it is not there, and its container runs: no limit holds",
  mend: { step: "none", advice: "stop the container" },
});
