// Archives as `docker save` has long written them: manifest.json, configs, and layers as tars.
import { AgentError } from "../../base/errors.ts";
import { type BuildPlace, buildImage } from "../build-image.ts";
import { isObject } from "../image-config.ts";
import type { Descriptor, Manifest } from "../registry/manifest.ts";
import type { ArchiveFolder } from "./archive-folder.ts";
import { layerTypeOf } from "./layer-type.ts";
import { type Loaded, MAX_IMAGES, tagsOf } from "./loaded.ts";

const MAX_LAYERS = 500;

const refuse = (why: string): AgentError => new AgentError("invalid-argument", `load archive: ${why}`);

export async function loadDocker(archive: ArchiveFolder, place: BuildPlace): Promise<Loaded[]> {
  const entries = await archive.json("manifest.json");
  if (!Array.isArray(entries) || entries.length === 0) throw refuse("its manifest.json names no image");
  if (entries.length > MAX_IMAGES) throw refuse(`its manifest.json names over ${MAX_IMAGES} images`);
  const loaded: Loaded[] = [];
  for (const entry of entries as unknown[]) {
    if (!isObject(entry) || typeof entry["Config"] !== "string" || !Array.isArray(entry["Layers"]) || entry["Layers"].length > MAX_LAYERS) {
      throw refuse("an image of its manifest.json has no Config, or no Layers, or too many");
    }
    const config = await adopt(archive, entry["Config"], place);
    const layers: Descriptor[] = [];
    for (const name of entry["Layers"] as unknown[]) layers.push(await layer(archive, String(name), place));
    const manifest: Manifest = { config: { mediaType: "application/vnd.docker.container.image.v1+json", ...config }, layers };
    // The archive has no manifest as a registry has one; the image is known by its config.
    const image = await buildImage(manifest, config.digest, place, async () => {});
    loaded.push({ image, references: tagsOf(entry["RepoTags"]) });
  }
  return loaded;
}

/** `docker save` writes layers plain, other writers pack them. */
async function layer(archive: ArchiveFolder, name: string, place: BuildPlace): Promise<Descriptor> {
  const mediaType = await layerTypeOf(await archive.path(name));
  return { mediaType, ...(await adopt(archive, name, place)) };
}

async function adopt(archive: ArchiveFolder, name: string, { content, lease }: BuildPlace): Promise<{ digest: string; sizeBytes: number }> {
  return await content.adopt(await archive.path(name), (digest) => lease.hold(digest));
}
