// What exists of this node: kernel objects by one question to the helper, folders and files by a look at them. No file is read.
import { readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import type { FoundProcess, ListObjectsResult, NetworkDifference } from "../generated/berth/native/helper.ts";
import type { Helper } from "../native-client/helper.ts";
import type { NetworkService } from "../network/network-service.ts";
import { isAlive } from "../sandbox/shims.ts";
import type { Places, Records } from "./records.ts";

interface FoundFile {
  readonly name: string;
  readonly sizeBytes: bigint;
}

export interface Found extends ListObjectsResult {
  /** Names of the pods' state folders. */
  readonly stateFolders: readonly string[];
  /** By the pod's id: names of its containers' bundles. */
  readonly bundles: ReadonlyMap<string, readonly string[]>;
  /** Names of the shims' sockets. */
  readonly sockets: readonly string[];
  readonly writableFolders: readonly string[];
  readonly layerFolders: readonly string[];
  readonly blobs: readonly FoundFile[];
  /** Whole paths of what calls under way have made for themselves, and of what such calls have left. */
  readonly temporary: readonly string[];
  /** What the pods' network is without. */
  readonly network: readonly NetworkDifference[];
  /** Pids of processes on record that are there, whatever their name says. */
  readonly alive: ReadonlySet<number>;
}

// Files are asked for their size so many at a time.
const AT_ONCE = 64;

export async function look(helper: Helper, network: NetworkService, records: Records, places: Places): Promise<Found> {
  const { state, root } = places;
  const elsewhere = records.sandboxes.filter(({ cgroupPath }) => !cgroupPath.startsWith(`${places.cgroupParent}/`));
  const ids = new Set<string>(elsewhere.map(({ id }) => id));
  const objects = await helper.listObjects({
    cgroupParent: places.ownsCgroupParent ? places.cgroupParent : "",
    cgroupPaths: [...elsewhere, ...records.containers.filter(({ sandboxId }) => ids.has(sandboxId))].map(({ cgroupPath }) => cgroupPath),
    linkAlias: places.linkAlias,
    linkNames: records.endpoints.map(({ hostInterface }) => hostInterface),
    nftTable: places.hasNetwork ? places.nftTable : "",
  });
  const stateFolders = await names(join(state, "pods"));
  const bundles = await Promise.all(stateFolders.map(async (id) => [id, await names(join(state, "pods", id, "containers"))] as const));
  const temporary = await Promise.all(
    places.temporaryFolders.map(async (folder) => (await names(folder)).map((name) => join(folder, name))),
  );
  return {
    ...objects,
    stateFolders,
    bundles: new Map(bundles),
    sockets: await names(join(state, "s")),
    writableFolders: await names(join(root, "containers")),
    layerFolders: await names(join(root, "snapshots")),
    blobs: await filesOf(join(root, "content", "blobs", "sha256")),
    temporary: temporary.flat(),
    network: await network.differences(),
    alive: aliveOf(records, objects.processes),
  };
}

/** A folder that is not there is empty. */
async function names(folder: string): Promise<string[]> {
  return await readdir(folder).catch(() => []);
}

async function filesOf(folder: string): Promise<FoundFile[]> {
  const all = await names(folder);
  const found: FoundFile[] = [];
  for (let at = 0; at < all.length; at += AT_ONCE) {
    const files = await Promise.all(all.slice(at, at + AT_ONCE).map((name) => sizeOf(join(folder, name))));
    found.push(...files.filter((file) => file !== undefined));
  }
  return found;
}

/** undefined for one that has gone meanwhile. */
async function sizeOf(path: string): Promise<FoundFile | undefined> {
  const status = await stat(path, { bigint: true }).catch(() => undefined);
  return status === undefined ? undefined : { name: basename(path), sizeBytes: status.size };
}

/** The helper has listed nearly all of them; only the others are looked at one by one. */
function aliveOf({ sandboxes }: Records, listed: readonly FoundProcess[]): ReadonlySet<number> {
  const known = sandboxes.flatMap(({ shim, portProxy }) => [shim, portProxy]).filter((process) => process !== undefined);
  const startTicks = new Map(listed.map((process) => [process.pid, process.startTicks]));
  const alive = known.filter((process) => startTicks.get(process.pid) === process.startTicks || isAlive(process));
  return new Set(alive.map(({ pid }) => pid));
}
