// What both forms of archives give.
import { AgentError } from "../../base/errors.ts";
import type { BuiltImage } from "../build-image.ts";
import { parseReference, taggedName } from "../reference.ts";

export interface Loaded {
  readonly image: BuiltImage;
  readonly references: readonly string[];
}

export const MAX_IMAGES = 1000;

/** Names as an archive has them; what is only a tag, as some layouts write, names nothing on a node. */
export function tagsOf(names: unknown): string[] {
  if (names === undefined || names === null) return [];
  if (!Array.isArray(names) || names.length > MAX_IMAGES)
    throw new AgentError("invalid-argument", "load archive: the names of an image are no list, or too many");
  return names
    .filter((name): name is string => typeof name === "string" && /[/:]/.test(name))
    .map((name) => taggedName(parseReference(name)))
    .filter((name) => name !== "");
}
