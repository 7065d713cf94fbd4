// User namespaces of the CRI → domain and back: the pod's, and the ids of a mount.
import { AgentError } from "../../base/errors.ts";
import {
  type IDMapping,
  NamespaceMode,
  type NamespaceOption,
  type UserNamespace as UserNamespaceProto,
} from "../../generated/cri/runtime/v1/api.ts";
import type { UserNamespace } from "../../sandbox/records.ts";

// uid_map(5): ids are 32 bits wide, and the last of them is none.
const LARGEST_ID = 2 ** 32 - 2;

/**
 * @param reading "read pod sandbox config"
 * @returns undefined for the node's own ids
 * @throws AgentError invalid-argument
 */
export function toUserNamespace(reading: string, options: UserNamespaceProto | undefined): UserNamespace | undefined {
  const invalid = (why: string): AgentError => new AgentError("invalid-argument", `${reading}: ${why}`);
  if (options === undefined) return undefined;
  const { mode, uids, gids } = options;
  if (mode === NamespaceMode.NODE) {
    if (uids.length + gids.length > 0) throw invalid("user namespace mode NODE has no id mappings");
    return undefined;
  }
  if (mode !== NamespaceMode.POD) throw invalid(`user namespace mode ${mode} is not POD or NODE`);
  return toIds(invalid, "a user namespace", uids, gids);
}

/** All that a pod with ids of its own must have for itself: what is the node's would not be its root's. */
export function checkOwnNamespaces(reading: string, options: NamespaceOption): void {
  for (const kind of ["network", "ipc", "pid"] as const) {
    if (options[kind] === NamespaceMode.NODE)
      throw new AgentError("invalid-argument", `${reading}: a pod with a user namespace can't have the node's ${kind} namespace`);
  }
}

/** @returns undefined for the ids of the node @throws AgentError invalid-argument */
export function toMountIds(
  reading: string,
  containerPath: string,
  uids: readonly IDMapping[],
  gids: readonly IDMapping[],
): UserNamespace | undefined {
  const invalid = (why: string): AgentError => new AgentError("invalid-argument", `${reading}: mount ${containerPath}: ${why}`);
  return uids.length + gids.length === 0 ? undefined : toIds(invalid, "it", uids, gids);
}

function toIds(invalid: (why: string) => AgentError, what: string, uids: readonly IDMapping[], gids: readonly IDMapping[]): UserNamespace {
  const [uid, gid] = [uids[0], gids[0]];
  if (uid === undefined || gid === undefined || uids.length + gids.length > 2)
    throw invalid(`${what} needs one mapping of uids and one of gids`);
  const { hostId, containerId, length } = uid;
  if (hostId !== gid.hostId || containerId !== gid.containerId || length !== gid.length)
    throw invalid(`${what} needs the same mapping for uids and gids`);
  if (containerId !== 0) throw invalid(`the mapping begins at id ${containerId}, and not with root`);
  if (length === 0 || hostId + length - 1 > LARGEST_ID) throw invalid(`the mapping of ${length} ids from ${hostId} on is none`);
  return { firstHostId: hostId, count: length };
}

export const fromIds = (ids: UserNamespace | undefined): IDMapping[] =>
  ids === undefined ? [] : [{ hostId: ids.firstHostId, containerId: 0, length: ids.count }];

export const fromUserNamespace = (ids: UserNamespace | undefined): UserNamespaceProto =>
  ids === undefined
    ? { mode: NamespaceMode.NODE, uids: [], gids: [] }
    : { mode: NamespaceMode.POD, uids: fromIds(ids), gids: fromIds(ids) };
