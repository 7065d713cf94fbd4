// What devices of CDI come to on this node now: found out when the container is created, and kept with it.
import { stat } from "node:fs/promises";
import { AgentError, messageOf } from "../../base/errors.ts";
import { deviceNumbers } from "../devices.ts";
import type { CdiDeviceNode, CdiEdits, CdiHook, CdiMount } from "./cdi-spec.ts";

interface CdiNode {
  readonly path: string;
  readonly type: "b" | "c" | "p";
  /** 0 for a pipe */
  readonly major: number;
  readonly minor: number;
  /** undefined: 0666 */
  readonly fileMode?: number | undefined;
  /** undefined: the container's user */
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  /** of "r", "w" and "m"; "" is none */
  readonly permissions: string;
}

/** Edits of all devices of a container, in order. */
export interface CdiChange {
  readonly env: readonly string[];
  readonly deviceNodes: readonly CdiNode[];
  readonly mounts: readonly CdiMount[];
  readonly hooks: readonly CdiHook[];
  readonly additionalGids: readonly number[];
}

// A record is written whole at each change of the container, and has a bound of its own.
const MAX_CHARACTERS = 512 * 1024;

/** @throws AgentError failed-precondition when the node has not what a device names, resource-exhausted when it is too much */
export async function resolveEdits(all: readonly CdiEdits[]): Promise<CdiChange> {
  const change: CdiChange = {
    env: all.flatMap(({ env }) => env),
    deviceNodes: await Promise.all(all.flatMap(({ deviceNodes }) => deviceNodes).map(resolveNode)),
    mounts: all.flatMap(({ mounts }) => mounts),
    hooks: all.flatMap(({ hooks }) => hooks),
    // The group that needs no adding: everybody who is root has it.
    additionalGids: all.flatMap(({ additionalGids }) => additionalGids).filter((gid) => gid !== 0),
  };
  const { length } = JSON.stringify(change);
  if (length > MAX_CHARACTERS)
    throw new AgentError("resource-exhausted", `add CDI devices: their changes have ${length} characters, over ${MAX_CHARACTERS}`);
  return change;
}

/** @source CDI, "deviceNodes": type and numbers that are not written are those of the node's device */
async function resolveNode(node: CdiDeviceNode): Promise<CdiNode> {
  const { path, hostPath = path, fileMode, uid, gid } = node;
  const wanted = node.type === "u" ? "c" : node.type;
  const rest = { path, fileMode, uid, gid, permissions: node.permissions === "none" ? "" : (node.permissions ?? "rwm") };
  if (wanted === "p") return { ...rest, type: "p", major: 0, minor: 0 };
  if (wanted !== undefined && node.major) return { ...rest, type: wanted, major: node.major, minor: node.minor ?? 0 };
  const status = await stat(hostPath).catch((cause: unknown) => {
    throw new AgentError("failed-precondition", `add CDI device node ${path}: ${messageOf(cause)}`, { cause });
  });
  if (status.isFIFO() && wanted === undefined) return { ...rest, type: "p", major: 0, minor: 0 };
  const found = deviceNumbers(status);
  if (found === undefined || (wanted !== undefined && wanted !== found.type)) {
    const what = wanted === undefined ? "device" : `device of type ${wanted}`;
    throw new AgentError("failed-precondition", `add CDI device node ${path}: ${hostPath} is no ${what}`);
  }
  return { ...rest, ...found };
}

/** Whether a mount is of something of the node: what no type is written for is. */
export const isBind = (type: string): boolean => type === "" || type === "bind" || type === "none";
