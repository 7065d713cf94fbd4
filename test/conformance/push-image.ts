// Puts an image into a registry, in the form it is meant to have there.
import { type Blob, descriptorOf, imageOf, jsonBlob, OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, ourArchitecture } from "../lib/oci-image.ts";
import type { DockerRegistry } from "../lib/registry.ts";
import type { ConformanceImage } from "./images.ts";

const OCI = {
  manifest: OCI_MANIFEST,
  index: OCI_INDEX,
  config: OCI_CONFIG,
  layer: "application/vnd.oci.image.layer.v1.tar+gzip",
};
const DOCKER = {
  manifest: "application/vnd.docker.distribution.manifest.v2+json",
  index: "application/vnd.docker.distribution.manifest.list.v2+json",
  config: "application/vnd.docker.container.image.v1+json",
  layer: "application/vnd.docker.image.rootfs.diff.tar.gzip",
};
const FOREIGN_ARCHITECTURE = ourArchitecture === "amd64" ? "arm64" : "amd64";

export async function pushImage(registry: DockerRegistry, image: ConformanceImage): Promise<void> {
  const { repository, tags, form } = image;
  const types = form.startsWith("docker") ? DOCKER : OCI;
  const ours = await pushOne(registry, image, ourArchitecture, types);
  let [top, mediaType] = [ours, types.manifest];
  if (form === "docker list" || form === "oci index") {
    const foreign = await pushOne(registry, image, FOREIGN_ARCHITECTURE, types);
    for (const { digest, bytes } of [ours, foreign]) await registry.putManifest(repository, digest, bytes, types.manifest);
    const manifests = [
      { ...descriptorOf(types.manifest, foreign), platform: { architecture: FOREIGN_ARCHITECTURE, os: "linux" } },
      { ...descriptorOf(types.manifest, ours), platform: { architecture: ourArchitecture, os: "linux" } },
    ];
    top = jsonBlob({ schemaVersion: 2, mediaType: types.index, manifests });
    mediaType = types.index;
  }
  for (const tag of tags) await registry.putManifest(repository, tag, top.bytes, mediaType);
}

/** @returns the manifest, which is not pushed yet */
async function pushOne(
  registry: DockerRegistry,
  { repository, layers, config }: ConformanceImage,
  architecture: string,
  types: typeof OCI,
): Promise<Blob> {
  const made = imageOf(layers, { architecture, config });
  for (const blob of [made.config, ...made.layers]) await registry.pushBlob(repository, blob);
  return jsonBlob({
    schemaVersion: 2,
    mediaType: types.manifest,
    config: descriptorOf(types.config, made.config),
    layers: made.layers.map((layer) => descriptorOf(types.layer, layer)),
  });
}
