// Which revision of the shim has brought what. A line of shim-revisions.txt is never changed, for pods outlive the berthd that knew them.
import { readFileSync } from "node:fs";
import { wireShape } from "./wire-shape.ts";

const at = (path: string): string => readFileSync(new URL(path, import.meta.url), "utf8");

export const SHIM_REVISION = Number(/pub const SHIM_REVISION: u32 = (\d+);/.exec(at("../../native/wire/src/lib.rs"))?.[1]);

export interface RevisedLine {
  readonly revision: number;
  /** as `wireShape` has it */
  readonly line: string;
}

/** What came after protocol-1.txt, from the oldest revision. */
export function shimRevisions(): RevisedLine[] {
  return lines("shim-revisions.txt").map((text) => {
    const [revision = "", ...line] = text.split(" ");
    return { revision: Number(revision), line: line.join(" ") };
  });
}

/** Lines of the shim's messages that no revision is known to have. @param shape of all messages */
export function unlistedShape(shape: readonly string[]): string[] {
  const messageOf = (line: string): string => line.slice(0, line.indexOf(" "));
  const messages = new Set(wireShape(["common", "shim"]).map(messageOf));
  const known = new Set([...lines("protocol-1.txt"), ...shimRevisions().map(({ line }) => line)]);
  return shape.filter((line) => messages.has(messageOf(line)) && !known.has(line));
}

const lines = (file: string): string[] => at(file).trim().split("\n");
