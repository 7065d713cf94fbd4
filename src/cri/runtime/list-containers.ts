import type { ContainerRecord } from "../../container/records.ts";
import type { ContainerFilter, ListContainersRequest, ListContainersResponse } from "../../generated/cri/runtime/v1/api.ts";
import { toContainer, toContainerState } from "../convert/container-status.ts";
import type { Handler } from "../edge.ts";
import type { Engine } from "../engine.ts";
import { matchesLabels } from "../matches-labels.ts";

export const listContainers: Handler<ListContainersRequest, ListContainersResponse> = (engine, { filter }) => ({
  containers: filterContainers(engine, filter).map(toContainer),
});

/** All parts of the filter must hold; an unknown id gives an empty list. */
export const filterContainers = (engine: Engine, filter: ContainerFilter | undefined): ContainerRecord[] =>
  engine.containers
    .list()
    .filter((container) => filter === undefined || filter.id === "" || container.id.startsWith(filter.id))
    .filter((container) => filter === undefined || filter.podSandboxId === "" || container.sandboxId.startsWith(filter.podSandboxId))
    .filter((container) => filter?.state === undefined || toContainerState(container) === filter.state.state)
    .filter((container) => matchesLabels(container.config.labels, filter?.labelSelector));
