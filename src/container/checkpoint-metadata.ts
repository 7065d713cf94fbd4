// What the archive of a checkpoint says of its container, in the words that tools for such archives read.
import type { ContainerRecord } from "./records.ts";

/** @source checkpointctl, lib/metadata.go: ContainerConfig */
export function configDump(container: ContainerRecord, runtimePath: string, now: Date): string {
  const { config } = container;
  return JSON.stringify({
    id: container.id,
    name: config.name,
    rootfsImage: config.userSpecifiedImage || config.image,
    rootfsImageRef: container.imageId,
    rootfsImageName: config.userSpecifiedImage || config.image,
    runtime: runtimePath.replace(/^.*\//, ""),
    createdTime: toDate(container.createdAtNanos).toISOString(),
    checkpointedTime: now.toISOString(),
    restoredTime: "0001-01-01T00:00:00Z",
    restored: false,
  });
}

/** Nanoseconds are past what a number of JavaScript holds. @source checkpointctl, lib/metadata.go: ContainerdStatus */
export function statusDump({ createdAtNanos, startedAtNanos, pid }: ContainerRecord): string {
  return `{"CreatedAt":${createdAtNanos},"StartedAt":${startedAtNanos},"FinishedAt":0,"ExitCode":0,"Pid":${pid},"Reason":"","Message":""}`;
}

const toDate = (nanos: bigint): Date => new Date(Number(nanos / 1_000_000n));
