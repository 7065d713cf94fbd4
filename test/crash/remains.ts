// What a run must leave as it was: kernel objects of the node, and files below root and state.
import { readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { berthOf } from "../lib/berth.ts";
import { kernelObjectsOf } from "../lib/kernel.ts";
import type { TestNode } from "../lib/node.ts";

/** Lines to be compared; a process is named without its number, for berthd and helper are others after a kill. */
export async function remains(node: TestNode): Promise<string[]> {
  const objects = kernelObjectsOf(node.folder, await node.instanceId()).map((line) => line.replace(/^process \d+/, "process"));
  return [...objects, ...[node.root, node.state].flatMap((folder) => filesBelow(folder, node.folder))].sort();
}

/** The same, when nothing comes or goes any more: what a run is to be compared with. */
export async function quietRemains(node: TestNode): Promise<string[]> {
  let last: string[] = [];
  return await node.eventually("nothing comes or goes", async () => {
    const [before, now] = [last, await remains(node)];
    last = now;
    return difference(before, now).length === 0 ? now : undefined;
  });
}

// Code that berthd keeps as compiled differs between its sources and a build, and is the Node.js runtime's to add to.
const COMPILED = /(^|\/)compile-cache(\/|$)/;

function filesBelow(folder: string, from: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .map((entry) => relative(from, join(entry.parentPath, entry.name)))
    .filter((path) => !COMPILED.test(path))
    .map((path) => `file ${path}`);
}

/** @throws when the audit finds something, or the world is another, for longer than a node needs */
export async function isAsBefore(node: TestNode, before: readonly string[]): Promise<void> {
  const { berth } = berthOf(() => node);
  let left = "";
  const look = async (): Promise<true | undefined> => {
    const { code, stdout, stderr } = await berth("audit");
    left = [...difference(before, await remains(node)), stdout, stderr].join("\n");
    return code === 0 && left.trim() === "" ? true : undefined;
  };
  await node.eventually("the world is as it was", look).catch((failure: unknown) => {
    throw new Error(`it is not as before:\n${left}`, { cause: failure });
  });
}

/** Lines of which the one has more than the other. */
export function difference(before: readonly string[], after: readonly string[]): string[] {
  const less = (all: readonly string[], taken: readonly string[]): string[] => {
    const rest = [...all];
    for (const line of taken) {
      const at = rest.indexOf(line);
      if (at >= 0) rest.splice(at, 1);
    }
    return rest;
  };
  return [...less(after, before).map((line) => `new: ${line}`), ...less(before, after).map((line) => `gone: ${line}`)];
}
