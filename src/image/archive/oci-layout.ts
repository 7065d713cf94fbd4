// Archives that are an OCI image layout: index.json, and blobs by digest.
import { createHash } from "node:crypto";
import { AgentError } from "../../base/errors.ts";
import { type BuildPlace, buildImage } from "../build-image.ts";
import { isObject, parseJsonObject } from "../image-config.ts";
import { type Descriptor, type Manifest, parseDocument, type PlatformDescriptor, platformDescriptor } from "../registry/manifest.ts";
import { choosePlatform, isOtherPlatform } from "../registry/platform.ts";
import type { ArchiveFolder } from "./archive-folder.ts";
import { type Loaded, MAX_IMAGES, tagsOf } from "./loaded.ts";

export const OCI_REF = "org.opencontainers.image.ref.name";
export const CONTAINERD_REF = "io.containerd.image.name";

const refuse = (why: string): AgentError => new AgentError("invalid-argument", `load archive: ${why}`);
export const blobName = (digest: string): string => `blobs/sha256/${digest.slice("sha256:".length)}`;

export async function loadLayout(archive: ArchiveFolder, place: BuildPlace): Promise<Loaded[]> {
  const { manifests } = parseJsonObject(await archive.bytes("index.json"), "index.json");
  if (!Array.isArray(manifests) || manifests.length === 0) throw refuse("its index.json names no image");
  if (manifests.length > MAX_IMAGES) throw refuse(`its index.json names over ${MAX_IMAGES} images`);
  const entries = manifests.map((entry: unknown) => ({ descriptor: platformDescriptor(entry), references: namesOf(entry) }));
  // Images of several platforms may stand side by side; one alone is loaded, or refused, for what it is.
  const ours = entries.filter(({ descriptor }) => !isOtherPlatform(descriptor.platform));
  const loaded: Loaded[] = [];
  for (const { descriptor, references } of ours.length > 0 ? ours : entries) {
    const { manifest, digest } = await manifestOf(archive, place, descriptor);
    loaded.push({ image: await buildImage(manifest, digest, place, (blob) => adopt(archive, place, blob)), references });
  }
  return loaded;
}

async function manifestOf(
  archive: ArchiveFolder,
  place: BuildPlace,
  { digest }: PlatformDescriptor,
): Promise<{ manifest: Manifest; digest: string }> {
  const bytes = await archive.bytes(blobName(digest));
  const actual = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  if (actual !== digest) throw refuse(`manifest ${digest} has the digest ${actual}`);
  const document = parseDocument(bytes, "");
  place.lease.hold(digest);
  await place.content.writeBytes(digest, bytes);
  if (document.kind === "manifest") return { manifest: document.manifest, digest };
  // No index can hold its own digest, so this ends.
  return await manifestOf(archive, place, choosePlatform(document.manifests));
}

async function adopt(archive: ArchiveFolder, { content, lease }: BuildPlace, { digest, sizeBytes }: Descriptor): Promise<void> {
  const name = blobName(digest);
  const adopted = await content.adopt(await archive.path(name), (found) => lease.hold(found));
  if (adopted.digest !== digest) throw refuse(`${name} has the digest ${adopted.digest}`);
  if (adopted.sizeBytes !== sizeBytes) throw refuse(`${name} has ${adopted.sizeBytes} bytes, and its descriptor says ${sizeBytes}`);
}

function namesOf(entry: unknown): string[] {
  const annotations = isObject(entry) && isObject(entry["annotations"]) ? entry["annotations"] : {};
  const name = annotations[CONTAINERD_REF] ?? annotations[OCI_REF];
  return tagsOf(name === undefined ? [] : [name]);
}
