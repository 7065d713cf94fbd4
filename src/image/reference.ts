// Names of images, as Docker writes them: [registry/]path[:tag][@digest]. Pure.
import { AgentError } from "../base/errors.ts";
import { splitRegistry } from "../base/registry-name.ts";

export interface Reference {
  readonly registry: string; // "docker.io", "localhost:5000"
  readonly path: string; // "library/busybox"
  readonly tag: string; // "" when only a digest was given
  readonly digest: string; // "sha256:…" or ""
}

const MAX_REFERENCE_CHARACTERS = 512;
const PATH = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const REGISTRY =
  /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:]+\])(?::\d{1,5})?$/;
const TAG = /^\w[\w.-]{0,127}$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;

export const isDigest = (text: string): boolean => DIGEST.test(text);

/** @throws AgentError invalid-argument */
export function parseReference(text: string): Reference {
  const refuse = (why: string): AgentError =>
    new AgentError("invalid-argument", `read image reference ${JSON.stringify(text.slice(0, 256))}: ${why}`);
  if (text === "" || text.length > MAX_REFERENCE_CHARACTERS) throw refuse(`it is empty or over ${MAX_REFERENCE_CHARACTERS} characters`);
  const at = text.indexOf("@");
  const digest = at < 0 ? "" : text.slice(at + 1);
  if (at >= 0 && !isDigest(digest)) throw refuse("the digest is not sha256: and 64 hexadecimal digits");
  const name = at < 0 ? text : text.slice(0, at);
  const colon = name.lastIndexOf(":");
  const tagged = colon > name.lastIndexOf("/");
  const tag = tagged ? name.slice(colon + 1) : "";
  if (tagged && !TAG.test(tag)) throw refuse('the tag is not 1 to 128 letters, digits, "_", "." and "-"');
  const { registry, path } = splitRegistry(tagged ? name.slice(0, colon) : name);
  if (!REGISTRY.test(registry)) throw refuse("the registry is no host name");
  // It would be taken for an image's id wherever it is named again.
  if (/^[0-9a-f]{64}$/.test(name)) throw refuse("it is an image's id, and no name");
  if (path.length > 255 || !PATH.test(path)) throw refuse("the name is not of lower-case letters, digits and separators");
  return { registry, path, tag: tag === "" && digest === "" ? "latest" : tag, digest };
}

/** "registry/path", what names and digests are hung on. */
export const repository = (reference: Reference): string => `${reference.registry}/${reference.path}`;

/** The whole name with its tag; "" for one that has only a digest. */
export const taggedName = (reference: Reference): string => (reference.tag === "" ? "" : `${repository(reference)}:${reference.tag}`);
