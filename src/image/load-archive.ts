// Image archives, as `docker save` and the OCI layout write them. The outer tar is unpacked by the confined reader too; here
// only bounded JSON is parsed, and only regular files inside the unpacked folder are opened.
import { createHash } from "node:crypto";
import { lstat, open, readFile, realpath } from "node:fs/promises";
import { join } from "node:path";
import { AgentError } from "../base/errors.ts";
import { type BuiltImage, buildImage } from "./build-image.ts";
import type { ContentStore } from "./content/content-store.ts";
import { isObject } from "./image-config.ts";
import { isDigest, parseReference, taggedName } from "./reference.ts";
import { choosePlatform, type Descriptor, type Manifest, parseDocument } from "./registry/manifest.ts";
import type { SnapshotStore } from "./snapshot/snapshot-store.ts";

export interface Loaded {
  readonly image: BuiltImage;
  readonly references: readonly string[];
}

const MAX_JSON_BYTES = 4 * 1024 * 1024;
const MAX_IMAGES = 1000;
const OCI_REF = "org.opencontainers.image.ref.name";
const CONTAINERD_REF = "io.containerd.image.name";

/** @param folder of the unpacked archive @throws AgentError invalid-argument for an archive of neither form */
export async function loadUnpacked(folder: string, content: ContentStore, snapshots: SnapshotStore): Promise<Loaded[]> {
  const archive = new ArchiveFolder(await realpath(folder));
  // Newer `docker save` writes both; the OCI part has the digests as they were pulled.
  if (await archive.has("index.json")) return await loadLayout(archive, content, snapshots);
  if (await archive.has("manifest.json")) return await loadDocker(archive, content, snapshots);
  throw new AgentError("invalid-argument", "load archive: it has neither index.json nor manifest.json, so it is no image archive");
}

/** The files of an archive by their names in it; nothing outside is ever opened. */
class ArchiveFolder {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  async has(name: string): Promise<boolean> {
    return (await lstat(join(this.#root, name)).catch(() => undefined))?.isFile() === true;
  }

  /** Archives of `docker save` link equal layers to each other, so links are followed as long as they stay inside. */
  async path(name: string): Promise<string> {
    const refuse = (why: string): AgentError => new AgentError("invalid-argument", `load archive: ${JSON.stringify(name.slice(0, 256))} ${why}`);
    if (name === "" || name.includes("\0")) throw refuse("names no file");
    const path = await realpath(join(this.#root, name)).catch(() => undefined);
    if (path === undefined) throw refuse("is not in the archive");
    if (!path.startsWith(`${this.#root}/`)) throw refuse("leads out of the archive");
    if (!(await lstat(path)).isFile()) throw refuse("is no file");
    return path;
  }

  async json(name: string): Promise<unknown> {
    const bytes = await this.bytes(name);
    try {
      return JSON.parse(bytes.toString("utf8"));
    } catch (cause) {
      throw new AgentError("invalid-argument", `load archive: ${name} is no JSON`, { cause });
    }
  }

  async bytes(name: string): Promise<Buffer> {
    const path = await this.path(name);
    if ((await lstat(path)).size > MAX_JSON_BYTES) throw new AgentError("resource-exhausted", `load archive: ${name} is over ${MAX_JSON_BYTES} bytes`);
    return await readFile(path);
  }
}

const blobName = (digest: string): string => `blobs/sha256/${digest.slice("sha256:".length)}`;

async function loadLayout(archive: ArchiveFolder, content: ContentStore, snapshots: SnapshotStore): Promise<Loaded[]> {
  const index = await archive.json("index.json");
  const entries = isObject(index) && Array.isArray(index["manifests"]) ? index["manifests"].slice(0, MAX_IMAGES) : [];
  const loaded: Loaded[] = [];
  for (const entry of entries) {
    if (!isObject(entry) || typeof entry["digest"] !== "string" || !isDigest(entry["digest"])) continue;
    const annotations = isObject(entry["annotations"]) ? entry["annotations"] : {};
    const name = annotations[CONTAINERD_REF] ?? annotations[OCI_REF];
    const { manifest, digest } = await layoutManifest(archive, content, entry["digest"]);
    const fetch = (descriptor: Descriptor): Promise<void> => adopt(archive, content, blobName(descriptor.digest), descriptor.digest);
    loaded.push({ image: await buildImage(manifest, digest, content, snapshots, fetch), references: typeof name === "string" ? references([name]) : [] });
  }
  if (loaded.length === 0) throw new AgentError("invalid-argument", "load archive: its index.json names no image");
  return loaded;
}

async function layoutManifest(archive: ArchiveFolder, content: ContentStore, digest: string): Promise<{ manifest: Manifest; digest: string }> {
  const bytes = await archive.bytes(blobName(digest));
  const actual = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  if (actual !== digest) throw new AgentError("invalid-argument", `load archive: manifest ${digest} has the digest ${actual}`);
  const document = parseDocument(bytes, "");
  if (!(await content.has(digest))) await content.writeBytes(digest, bytes);
  if (document.kind === "manifest") return { manifest: document.manifest, digest };
  return await layoutManifest(archive, content, choosePlatform(document.manifests).digest);
}

async function loadDocker(archive: ArchiveFolder, content: ContentStore, snapshots: SnapshotStore): Promise<Loaded[]> {
  const entries = await archive.json("manifest.json");
  if (!Array.isArray(entries) || entries.length === 0) throw new AgentError("invalid-argument", "load archive: its manifest.json names no image");
  const loaded: Loaded[] = [];
  for (const entry of entries.slice(0, MAX_IMAGES)) {
    if (!isObject(entry) || typeof entry["Config"] !== "string" || !Array.isArray(entry["Layers"])) {
      throw new AgentError("invalid-argument", "load archive: an image of its manifest.json has no Config or no Layers");
    }
    const config = await content.adopt(await archive.path(entry["Config"]));
    const layers: Descriptor[] = [];
    for (const name of entry["Layers"]) {
      const path = await archive.path(String(name));
      layers.push({ mediaType: await layerType(path), ...(await content.adopt(path)) });
    }
    const manifest: Manifest = { config: { mediaType: "application/vnd.docker.container.image.v1+json", ...config }, layers };
    // The archive has no manifest as a registry has; the image is known by its config.
    const image = await buildImage(manifest, config.digest, content, snapshots, async () => {});
    const tags = Array.isArray(entry["RepoTags"]) ? entry["RepoTags"].filter((tag): tag is string => typeof tag === "string") : [];
    loaded.push({ image, references: references(tags) });
  }
  return loaded;
}

async function adopt(archive: ArchiveFolder, content: ContentStore, name: string, digest: string): Promise<void> {
  if (await content.has(digest)) return;
  const adopted = await content.adopt(await archive.path(name));
  if (adopted.digest !== digest) throw new AgentError("invalid-argument", `load archive: ${name} has the digest ${adopted.digest}`);
}

/** `docker save` writes layers plain, other writers pack them. */
async function layerType(path: string): Promise<string> {
  const file = await open(path);
  try {
    const magic = Buffer.alloc(4);
    await file.read(magic, 0, 4, 0);
    if (magic.subarray(0, 2).equals(Buffer.from([0x1f, 0x8b]))) return "application/vnd.oci.image.layer.v1.tar+gzip";
    if (magic.equals(Buffer.from([0x28, 0xb5, 0x2f, 0xfd]))) return "application/vnd.oci.image.layer.v1.tar+zstd";
    return "application/vnd.oci.image.layer.v1.tar";
  } finally {
    await file.close();
  }
}

/** A name that is only a tag, as some layouts have it, names nothing on a node. */
function references(names: readonly string[]): string[] {
  return names.filter((name) => /[/:]/.test(name)).map((name) => taggedName(parseReference(name))).filter((name) => name !== "");
}
