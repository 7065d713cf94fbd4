import { type ContainerEventResponse, ContainerEventType, type GetEventsRequest } from "../../generated/cri/runtime/v1/api.ts";
import type { LifecycleEventType } from "../../sandbox/events.ts";
import { toPodSandboxStatus } from "../convert/sandbox-status.ts";
import type { ServerStreamHandler } from "../edge.ts";
import { statusesOfContainers } from "./pod-sandbox-status.ts";

// What the CRI has no type for is told by berth.v1 alone.
const TYPE: Readonly<Partial<Record<LifecycleEventType, ContainerEventType>>> = {
  created: ContainerEventType.CONTAINER_CREATED_EVENT,
  started: ContainerEventType.CONTAINER_STARTED_EVENT,
  stopped: ContainerEventType.CONTAINER_STOPPED_EVENT,
  deleted: ContainerEventType.CONTAINER_DELETED_EVENT,
};

/** From now on. The pod is told as it was at the event, its containers as they are when it is sent. */
export const getContainerEvents: ServerStreamHandler<GetEventsRequest, ContainerEventResponse> = async function* (
  engine,
  _request,
  { signal },
) {
  for await (const { event } of engine.events.read(engine.events.cursor, true, signal)) {
    const containerEventType = TYPE[event.type];
    if (event.sandbox === undefined || containerEventType === undefined) continue;
    yield {
      containerId: event.id,
      containerEventType,
      createdAt: event.atNanos,
      podSandboxStatus: toPodSandboxStatus(event.sandbox),
      containersStatuses: statusesOfContainers(engine, event.sandbox),
    };
  }
};
