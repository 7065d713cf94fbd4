// Mounts of a container config → domain and back, checked.
import { posix } from "node:path";
import { AgentError } from "../../base/errors.ts";
import type { Mount, MountOption, Propagation, VolumeImage } from "../../container/records.ts";
import { MountPropagation, type Mount as MountProto } from "../../generated/cri/runtime/v1/api.ts";
import { imageSpec } from "./image-spec.ts";
import { fromIds, toMountIds } from "./user-namespace.ts";

const invalid = (message: string): AgentError => new AgentError("invalid-argument", `read container config: ${message}`);

const PROPAGATION: ReadonlyMap<number, Propagation> = new Map([
  [MountPropagation.PROPAGATION_PRIVATE, "private"],
  [MountPropagation.PROPAGATION_HOST_TO_CONTAINER, "host-to-container"],
  [MountPropagation.PROPAGATION_BIDIRECTIONAL, "bidirectional"],
]);

const PROPAGATION_OF: Readonly<Record<Propagation, MountPropagation>> = {
  private: MountPropagation.PROPAGATION_PRIVATE,
  "host-to-container": MountPropagation.PROPAGATION_HOST_TO_CONTAINER,
  bidirectional: MountPropagation.PROPAGATION_BIDIRECTIONAL,
};

/** Of two at one path one would hide the other, and nothing would say which. */
export function toMounts(protos: readonly MountProto[]): Mount[] {
  const mounts = protos.map(toMount);
  const paths = mounts.map(({ containerPath }) => posix.resolve("/", containerPath));
  const twin = paths.find((path, index) => paths.indexOf(path) !== index);
  if (twin !== undefined) throw invalid(`mount ${twin}: two mounts are at this path`);
  return mounts;
}

function toMount(proto: MountProto): Mount {
  const propagation = PROPAGATION.get(proto.propagation);
  if (propagation === undefined) throw invalid(`mount ${proto.containerPath}: propagation ${proto.propagation} is not known`);
  const image = toVolumeImage(proto, propagation);
  if (image === undefined && !proto.hostPath.startsWith("/"))
    throw invalid(`mount ${proto.containerPath}: host_path ${JSON.stringify(proto.hostPath)} is not absolute`);
  // What the CRI says of it: nothing may become writable in it later.
  if (proto.recursiveReadOnly && !proto.readonly) throw invalid(`mount ${proto.containerPath}: recursive_read_only needs readonly`);
  if (proto.recursiveReadOnly && propagation !== "private")
    throw invalid(`mount ${proto.containerPath}: recursive_read_only needs private propagation`);
  return {
    containerPath: proto.containerPath,
    hostPath: proto.hostPath,
    readonly: proto.readonly,
    propagation,
    options: proto.mountOptions.map(toMountOption),
    recursiveReadOnly: proto.recursiveReadOnly,
    image,
    ids: toMountIds("read container config", proto.containerPath, proto.uidMappings, proto.gidMappings),
  };
}

function toVolumeImage(
  { containerPath, hostPath, readonly, image, imageSubPath }: MountProto,
  propagation: Propagation,
): VolumeImage | undefined {
  if (image === undefined || image.image === "") {
    if (imageSubPath !== "") throw invalid(`mount ${containerPath}: image_sub_path needs an image`);
    return undefined;
  }
  if (hostPath !== "") throw invalid(`mount ${containerPath}: it has an image and a host_path`);
  if (!readonly) throw invalid(`mount ${containerPath}: an image can only be mounted readonly`);
  if (propagation !== "private") throw invalid(`mount ${containerPath}: an image needs private propagation`);
  if (imageSubPath.startsWith("/") || /(^|\/)\.\.(\/|$)|\0/.test(imageSubPath))
    throw invalid(`mount ${containerPath}: image_sub_path ${JSON.stringify(imageSubPath)} is no relative path without ".."`);
  return { image: image.image, userSpecifiedImage: image.userSpecifiedImage, subPath: imageSubPath };
}

const MOUNT_OPTIONS: readonly MountOption[] = ["noexec", "nodev", "nosuid"];

function toMountOption(text: string): MountOption {
  const option = MOUNT_OPTIONS.find((each) => each === text);
  if (option === undefined) throw invalid(`mount option ${JSON.stringify(text)} is not one of ${MOUNT_OPTIONS.join(", ")}`);
  return option;
}

export function toMountStatus(mount: Mount): MountProto {
  const { image } = mount;
  return {
    containerPath: mount.containerPath,
    hostPath: mount.hostPath,
    readonly: mount.readonly,
    propagation: PROPAGATION_OF[mount.propagation],
    selinuxRelabel: false,
    uidMappings: fromIds(mount.ids),
    gidMappings: fromIds(mount.ids),
    recursiveReadOnly: mount.recursiveReadOnly ?? false,
    image: image === undefined ? undefined : { ...imageSpec(image.image, image.userSpecifiedImage), imageRef: image.imageId ?? "" },
    imageSubPath: image?.subPath ?? "",
    mountOptions: [...(mount.options ?? [])],
  };
}
