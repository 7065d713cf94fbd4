import type { ListPodSandboxRequest, ListPodSandboxResponse } from "../../generated/cri/runtime/v1/api.ts";
import { toPodSandbox, toSandboxState } from "../convert/sandbox-status.ts";
import type { Handler } from "../edge.ts";
import { matchesLabels } from "../matches-labels.ts";

/** All parts of the filter must hold; an unknown id gives an empty list. */
export const listPodSandbox: Handler<ListPodSandboxRequest, ListPodSandboxResponse> = (engine, { filter }) => ({
  items: engine.sandboxes
    .list()
    .filter((sandbox) => filter === undefined || filter.id === "" || sandbox.id.startsWith(filter.id))
    .filter((sandbox) => filter?.state === undefined || toSandboxState(sandbox) === filter.state.state)
    .filter((sandbox) => matchesLabels(sandbox.config.labels, filter?.labelSelector))
    .map(toPodSandbox),
});
