// Container records → runtime.v1.
import { join } from "node:path";
import type { ContainerRecord } from "../../container/records.ts";
import { type Container, type ContainerAttributes, type ContainerStatus, ContainerState } from "../../generated/cri/runtime/v1/api.ts";
import type { ImageRecord } from "../../image/image-service.ts";
import { imageSpec } from "./image-spec.ts";
import { toMountStatus } from "./mounts.ts";
import { fromResources } from "./resources.ts";
import { fromSignalName } from "./stop-signal.ts";

const STATE = {
  planned: ContainerState.CONTAINER_UNKNOWN,
  created: ContainerState.CONTAINER_CREATED,
  running: ContainerState.CONTAINER_RUNNING,
  exited: ContainerState.CONTAINER_EXITED,
  unknown: ContainerState.CONTAINER_UNKNOWN,
  removed: ContainerState.CONTAINER_UNKNOWN,
} as const;

export const toContainerState = (container: ContainerRecord): ContainerState => STATE[container.state];

export function toAttributes(container: ContainerRecord): ContainerAttributes {
  const { name, attempt, labels, annotations } = container.config;
  return { id: container.id, metadata: { name, attempt }, labels: { ...labels }, annotations: { ...annotations } };
}

export function toContainer(container: ContainerRecord): Container {
  return {
    ...toAttributes(container),
    podSandboxId: container.sandboxId,
    image: imageSpec(container.config.image, container.config.userSpecifiedImage),
    imageRef: container.imageId,
    imageId: container.imageId,
    state: toContainerState(container),
    createdAt: container.createdAtNanos,
  };
}

/** @param image undefined when it was removed since */
export function toContainerStatus(container: ContainerRecord, image: ImageRecord | undefined, logDirectory: string): ContainerStatus {
  const { config } = container;
  return {
    ...toAttributes(container),
    state: toContainerState(container),
    createdAt: container.createdAtNanos,
    startedAt: container.startedAtNanos,
    finishedAt: container.finishedAtNanos,
    exitCode: container.exitCode,
    image: imageSpec(image?.references[0] ?? config.image, config.userSpecifiedImage),
    imageRef: container.imageId,
    imageId: container.imageId,
    reason: container.reason,
    message: container.message,
    mounts: config.mounts.map(toMountStatus),
    logPath: config.logPath === "" || logDirectory === "" ? "" : join(logDirectory, config.logPath),
    resources: { linux: fromResources(container.appliedResources ?? config.resources), windows: undefined },
    user: {
      linux: {
        uid: BigInt(container.user.uid),
        gid: BigInt(container.user.gid),
        supplementalGroups: container.user.additionalGids.map(BigInt),
      },
    },
    stopSignal: fromSignalName(config.stopSignal || image?.config.stopSignal || "SIGTERM"),
  };
}
