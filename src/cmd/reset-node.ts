// berthd --reset: takes down what a node has, on purpose, and ends. It is a start of berthd that serves nobody: recovery finds all that
// there is, the ordinary teardown takes it away, and the orderly end gives the network back.
import { readFile, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { AgentError, allSteps } from "../base/errors.ts";
import { type Log, openLog } from "../base/log.ts";
import { parseMountinfo } from "../base/mountinfo.ts";
import type { Loaded, ResetScope } from "../config/load.ts";
import type { Config } from "../config/table.ts";
import type { Engine } from "../cri/engine.ts";
import { COMPILE_CACHE } from "./compile-cache.ts";
import { startNode } from "./start-node.ts";

export async function resetNode(loaded: Loaded, scope: ResetScope): Promise<void> {
  const log = openLog("berthd", loaded.config.logLevel);
  const node = await startNode(loaded, log);
  await takeDown(node.engine, scope, log).finally(() => node.stop());
  if (scope === "all") await removeFolders(loaded.config);
}

/** @throws AgentError of the first failure; all else was taken down nevertheless */
async function takeDown({ sandboxes, images, audit }: Engine, scope: ResetScope, log: Log): Promise<void> {
  const removals = await Promise.allSettled(sandboxes.list().map(({ id }) => sandboxes.remove(id)));
  const outcome = removals.map((result) => () => (result.status === "rejected" ? Promise.reject(result.reason) : Promise.resolve()));
  await allSteps("reset", [
    ...outcome,
    ...(scope === "pods"
      ? []
      : images.list().map(
          ({ id }) =>
            () =>
              images.remove(id),
        )),
    async () => {
      const left = (await audit.audit(true)).differences.filter(({ failure }) => failure !== "");
      const told = left.map(({ class: kind, object, failure }) => `${kind} ${object}: ${failure}`);
      if (told.length > 0) throw new AgentError("internal", `mend what is left: ${told.join("; ")}`);
    },
  ]);
  log.info({ pods: removals.length, scope }, "the node has been reset");
}

// By name, and not whole folders: `root` and `state` are settings, and could be anything.
const ROOT_ENTRIES = [
  "records.db",
  "records.db-wal",
  "records.db-shm",
  "records.db-wal.aside",
  "content",
  "snapshots",
  "containers",
  "archives",
  "uploads",
  "checkpoints",
  COMPILE_CACHE,
];
const STATE_ENTRIES = ["pods", "s", "helper.lock"];

/**
 * After the end of the node: its records and what is left of its folders. A folder that has something else in it stays.
 *
 * @throws AgentError failed-precondition before anything goes, when something is mounted in one: it may be anybody's
 */
async function removeFolders({ root, state, socket, helperSocket }: Config): Promise<void> {
  const paths = [...ROOT_ENTRIES.map((name) => join(root, name)), ...STATE_ENTRIES.map((name) => join(state, name)), socket, helperSocket];
  const mounts = parseMountinfo(await readFile("/proc/self/mountinfo", "utf8")).map(({ mountpoint }) => mountpoint);
  const inside = mounts.find((mount) => paths.some((path) => mount === path || mount.startsWith(`${path}/`)));
  if (inside !== undefined)
    throw new AgentError("failed-precondition", `remove the folders of the node: ${inside} is mounted, unmount it first`);
  for (const path of paths) await rm(path, { recursive: true, force: true });
  for (const folder of [root, state]) await rmdir(folder).catch(() => {});
}
