// Folders, sockets and files of pods, containers and calls.
import { join } from "node:path";
import type { Difference, ObjectClass } from "./difference.ts";
import type { Found } from "./look.ts";
import type { Places, Records } from "./records.ts";

export function compareDisk({ sandboxes, containers }: Records, found: Found, { root, state }: Places): Difference[] {
  const living = sandboxes.filter(({ state: is }) => is !== "notready");
  const pods = new Set<string>(living.map(({ id }) => id));
  const sockets = new Map<string, string>(living.map(({ id, socketPath }) => [socketPath, id]));
  const known = new Set<string>(containers.map(({ id }) => id));
  const stray = (kind: ObjectClass, path: string, sandboxId: string, containerId = ""): Difference => {
    const mend = kind === "socket" ? ({ step: "remove-file", path } as const) : ({ step: "remove-folder", path } as const);
    const problem = containerId === "" ? "no pod that is ready has it on record" : "no container has it on record";
    return { class: kind, object: path, sandboxId, containerId, problem, mend };
  };
  const lost = (kind: ObjectClass, path: string, sandboxId: string, containerId: string, advice: string): Difference => {
    return { class: kind, object: path, sandboxId, containerId, problem: "it is not there", mend: { step: "none", advice } };
  };
  const ready = living.filter(({ state: is }) => is === "ready");
  const layers = new Set(found.writableFolders);
  const there = new Set(found.sockets.map((name) => join(state, "s", name)));
  return [
    ...[...there].filter((path) => !sockets.has(path)).map((path) => stray("socket", path, "")),
    ...ready
      .filter(({ socketPath }) => !there.has(socketPath))
      .map(({ id, socketPath }) => lost("socket", socketPath, id, "", "run the pod again before berthd is next started")),
    ...found.stateFolders.filter((id) => !pods.has(id)).map((id) => stray("state folder", join(state, "pods", id), id)),
    ...[...found.bundles]
      .filter(([id]) => pods.has(id))
      .flatMap(([id, names]) =>
        names.filter((name) => !known.has(name)).map((name) => stray("bundle", join(state, "pods", id, "containers", name), id, name)),
      ),
    ...found.writableFolders
      .filter((name) => !known.has(name))
      .map((name) => stray("writable layer", join(root, "containers", name), "", name)),
    ...containers
      .filter(({ id, state: is }) => is !== "planned" && !layers.has(id))
      .map(({ id, sandboxId, writableDir }) => lost("writable layer", writableDir, sandboxId, id, "remove the container")),
    ...found.temporary.map((path): Difference => {
      const problem = "no call under way has made it";
      return { class: "temporary file", object: path, sandboxId: "", containerId: "", problem, mend: { step: "remove-folder", path } };
    }),
  ];
}
