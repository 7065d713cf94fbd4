// Roots of containers and the volumes beside them, in the shims' mount namespaces; in the node's own nothing of ours is mounted.
import { join } from "node:path";
import { volumePaths } from "../container/volumes.ts";
import type { FoundMount } from "../generated/berth/native/helper.ts";
import type { SandboxRecord } from "../sandbox/records.ts";
import type { Difference } from "./difference.ts";
import type { Found } from "./look.ts";
import type { Places, Records } from "./records.ts";

interface Place {
  readonly sandboxId: string;
  readonly containerId: string;
}

export function compareMounts({ sandboxes, containers }: Records, { mounts, processes }: Found, { state, root }: Places): Difference[] {
  const pods = join(state, "pods");
  const owners = new Map(processes.map(({ pid, sandboxId }) => [pid, sandboxId]));
  const known = new Map<string, string>(containers.map(({ id, sandboxId }) => [id, sandboxId]));
  const isExpected = ({ shimPid }: FoundMount, { sandboxId, containerId }: Place): boolean =>
    shimPid !== 0 && owners.get(shimPid) === sandboxId && (containerId === "" || known.get(containerId) === sandboxId);
  const stray = mounts.flatMap((mount): Difference[] => {
    const place = placeOf(mount.path, pods, join(root, "containers"));
    if (isExpected(mount, place)) return [];
    const problem =
      mount.shimPid === 0
        ? "it is in the node's mount namespace"
        : `in the mount namespace of shim ${mount.shimPid}, of no container on record`;
    return [{ class: "mount", object: mount.path, ...place, problem, mend: { step: "release-mount", ...mount } }];
  });
  const there = new Set(mounts.filter(({ shimPid }) => shimPid !== 0).map(({ path }) => path));
  const isVisible = ({ id, state: is, shim }: SandboxRecord): boolean => is === "ready" && owners.get(shim?.pid ?? 0) === id;
  const visible = new Map(sandboxes.filter(isVisible).map((sandbox) => [sandbox.id, sandbox]));
  const lost = containers.flatMap((container): Difference[] => {
    const { id, sandboxId, state: is } = container;
    const sandbox = visible.get(sandboxId);
    if (sandbox === undefined || (is !== "created" && is !== "running")) return [];
    const root = join(pods, sandboxId, "containers", id, "rootfs");
    const missing = [root, ...volumePaths(sandbox, container)].filter((place) => !there.has(place));
    return missing.map((object) => ({
      class: "mount",
      object,
      sandboxId,
      containerId: id,
      problem: object === root ? "the container's root is not mounted" : "a volume of the container is not mounted",
      mend: { step: "none", advice: "remove the container, and create it again" },
    }));
  });
  return [...stray, ...lost];
}

/** "<pods>/<pod>/containers/<container>/rootfs/…", "<layers>/<container>/…" */
function placeOf(path: string, pods: string, layers: string): Place {
  if (path.startsWith(`${layers}/`)) return { sandboxId: "", containerId: path.slice(layers.length + 1).split("/")[0] ?? "" };
  const parts = path.startsWith(`${pods}/`) ? path.slice(pods.length + 1).split("/") : [];
  return { sandboxId: parts[0] ?? "", containerId: parts[1] === "containers" ? (parts[2] ?? "") : "" };
}
