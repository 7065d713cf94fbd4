// Which image a caller means. Pure.
import type { ImageRecord } from "./records.ts";
import { parseReference, repository, taggedName } from "./reference.ts";

const SHORTEST_PREFIX = 7;

/** By id (with or without "sha256:"), by a beginning of an id that only one image has, by name or by digest. */
export function findImage(images: readonly ImageRecord[], text: string): ImageRecord | undefined {
  const hex = text.startsWith("sha256:") ? text.slice("sha256:".length) : text;
  if (/^[0-9a-f]{1,64}$/.test(hex) && hex.length >= SHORTEST_PREFIX) {
    const matches = images.filter((image) => image.id.slice("sha256:".length).startsWith(hex));
    if (matches.length === 1) return matches[0];
  }
  let name: string;
  let repoDigest: string;
  try {
    const reference = parseReference(text);
    name = taggedName(reference);
    repoDigest = reference.digest === "" ? "" : `${repository(reference)}@${reference.digest}`;
  } catch {
    // What is no reference names no image; ImageStatus answers "none" to it, as to any unknown name.
    return undefined;
  }
  // With a digest the tag is a remark: the digest says which image it is.
  if (repoDigest !== "") return images.find((image) => image.repoDigests.includes(repoDigest));
  return images.find((image) => image.references.includes(name));
}
