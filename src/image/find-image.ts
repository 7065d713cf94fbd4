// Which image a caller means. Pure.
import type { ImageRecord } from "./records.ts";
import { parseReference, repository, taggedName } from "./reference.ts";

const SHORTEST_PREFIX = 7;

/** By id (with or without "sha256:"), by name or by digest, by a beginning of an id that only one image has. */
export function findImage(images: readonly ImageRecord[], text: string): ImageRecord | undefined {
  const hex = text.startsWith("sha256:") ? text.slice("sha256:".length) : text;
  const isHex = /^[0-9a-f]{1,64}$/.test(hex) && hex.length >= SHORTEST_PREFIX;
  if (isHex && hex.length === 64) return images.find((image) => image.id === `sha256:${hex}`);
  // Names come before beginnings of ids: an image can be made whose id begins with another one's name.
  const named = hex === text ? findNamed(images, text) : undefined;
  if (named !== undefined || !isHex) return named;
  const matches = images.filter((image) => image.id.startsWith(`sha256:${hex}`));
  return matches.length === 1 ? matches[0] : undefined;
}

/** By name or by digest. */
export function findNamed(images: readonly ImageRecord[], text: string): ImageRecord | undefined {
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
