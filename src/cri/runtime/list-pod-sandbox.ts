import type { ListPodSandboxRequest, ListPodSandboxResponse, PodSandboxFilter } from "../../generated/cri/runtime/v1/api.ts";
import type { SandboxRecord } from "../../sandbox/records.ts";
import { toPodSandbox, toSandboxState } from "../convert/sandbox-status.ts";
import type { Handler } from "../edge.ts";
import type { Engine } from "../engine.ts";
import { matchesLabels } from "../matches-labels.ts";

export const listPodSandbox: Handler<ListPodSandboxRequest, ListPodSandboxResponse> = (engine, { filter }) => ({
  items: filterSandboxes(engine, filter).map(toPodSandbox),
});

/** All parts of the filter must hold; an unknown id gives an empty list. */
export const filterSandboxes = (engine: Engine, filter: PodSandboxFilter | undefined): SandboxRecord[] =>
  engine.sandboxes
    .list()
    .filter((sandbox) => filter === undefined || filter.id === "" || sandbox.id.startsWith(filter.id))
    .filter((sandbox) => filter?.state === undefined || toSandboxState(sandbox) === filter.state.state)
    .filter((sandbox) => matchesLabels(sandbox.config.labels, filter?.labelSelector));
