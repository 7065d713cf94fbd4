// What names an image has, and what becomes of them. Pure.
import type { ImageRecord } from "./records.ts";
import { type Reference, repository, taggedName } from "./reference.ts";

export type Names = Pick<ImageRecord, "references" | "repoDigests">;

export const withNames = (image: Names, references: readonly string[], repoDigests: readonly string[]): Names => ({
  references: union(image.references, references),
  repoDigests: union(image.repoDigests, repoDigests),
});

/** Digests of a repository go with the last tag in it: they came with the tags. One that is named itself goes alone. */
export function withoutName(image: Names, name: Reference): Names {
  const place = repository(name);
  if (name.digest !== "")
    return { references: image.references, repoDigests: image.repoDigests.filter((each) => each !== `${place}@${name.digest}`) };
  const references = image.references.filter((each) => each !== taggedName(name));
  const tagged = references.some((each) => each.startsWith(`${place}:`));
  return { references, repoDigests: tagged ? image.repoDigests : image.repoDigests.filter((each) => !each.startsWith(`${place}@`)) };
}

const union = (a: readonly string[], b: readonly string[]): string[] => [...new Set([...a, ...b])].filter((each) => each !== "");
