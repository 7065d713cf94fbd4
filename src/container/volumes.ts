// Volumes that the shim mounts beside a container's root, because not every OCI runtime can: images, mounts that are read-only to the
// last one below them, and mounts with the ids of a user namespace. The spec binds them from there.
import { join } from "node:path";
import { AgentError } from "../base/errors.ts";
import type { ShimVolume } from "../generated/berth/native/shim.ts";
import type { ImageService } from "../image/image-service.ts";
import type { SandboxConfig, SandboxRecord } from "../sandbox/records.ts";
import type { ContainerConfig, ContainerRecord, Mount } from "./records.ts";

type Pod = Pick<SandboxRecord, "stateDir"> & { readonly config: Pick<SandboxConfig, "userNamespace"> };
type WithMounts = Pick<ContainerRecord, "id"> & { readonly config: Pick<ContainerConfig, "mounts"> };

// In a user namespace all of them: some need other ids, and the way to the others may be closed to the pod's root.
const isShims = (mount: Mount, { config }: Pod): boolean =>
  mount.image !== undefined || mount.recursiveReadOnly === true || config.userNamespace !== undefined;

/** @param index of the mount in the container's config */
const volumePath = ({ stateDir }: Pod, { id }: WithMounts, index: number): string =>
  join(stateDir, "containers", id, "volumes", String(index));

/** Where a mount is bound from: what the caller named, or where the shim has made it. */
export const mountSource = (pod: Pod, container: WithMounts, mount: Mount, index: number): string =>
  isShims(mount, pod) ? volumePath(pod, container, index) : mount.hostPath;

/** Places of all that the shim mounts for a container, beside its root. */
export const volumePaths = (pod: Pod, container: WithMounts): string[] =>
  container.config.mounts.flatMap((mount, index) => (isShims(mount, pod) ? [volumePath(pod, container, index)] : []));

export function shimVolumes(pod: Pod, { mounts }: ContainerConfig, images: ImageService): ShimVolume[] {
  return mounts.flatMap((mount, index): ShimVolume[] => {
    if (!isShims(mount, pod)) return [];
    const { image, hostPath, ids, propagation, recursiveReadOnly = false } = mount;
    const source: ShimVolume["source"] =
      image === undefined
        ? { $case: "hostPath", value: hostPath }
        : { $case: "image", value: { lowerDirs: images.lowerDirs(images.get(image.imageId ?? "")).lowerDirs, subPath: image.subPath } };
    return [{ index, source, recursiveReadOnly, followsNode: propagation !== "private", idMapped: ids !== undefined }];
  });
}

/**
 * Says which images the container's image volumes are, from now on whatever their names come to mean.
 *
 * @throws AgentError not-found, with the word by which the kubelet knows a failure of an image volume
 */
export function findVolumeImages(config: ContainerConfig, images: ImageService): ContainerConfig {
  const find = (mount: Mount): Mount => {
    if (mount.image === undefined) return mount;
    const found = images.find(mount.image.image);
    if (found === undefined)
      throw new AgentError(
        "not-found",
        `ImageVolumeMountFailed: mount ${mount.containerPath}: image ${JSON.stringify(mount.image.image.slice(0, 512))} is not on this node; pull it first`,
      );
    return { ...mount, image: { ...mount.image, imageId: found.id } };
  };
  return { ...config, mounts: config.mounts.map(find) };
}

/** Images that a container uses: its own, and those that are volumes of it. */
const imagesOf = ({ imageId, config }: Pick<ContainerRecord, "imageId" | "config">): string[] => [
  imageId,
  ...config.mounts.flatMap(({ image }) => image?.imageId ?? []),
];

/** @throws AgentError not-found when one of them was removed meanwhile; then none is held */
export function retainImages(container: Pick<ContainerRecord, "imageId" | "config">, images: ImageService): void {
  const held: (() => void)[] = [];
  try {
    for (const id of imagesOf(container)) held.push(images.retain(id));
  } catch (failure) {
    for (const release of held) release();
    throw failure;
  }
}

export function releaseImages(container: Pick<ContainerRecord, "imageId" | "config">, images: ImageService): void {
  for (const id of imagesOf(container)) images.release(id);
}
