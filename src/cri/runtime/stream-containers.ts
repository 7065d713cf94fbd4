import type { StreamContainersRequest, StreamContainersResponse } from "../../generated/cri/runtime/v1/api.ts";
import { batches } from "../batches.ts";
import { toContainer } from "../convert/container-status.ts";
import type { ServerStreamHandler } from "../edge.ts";
import { filterContainers } from "./list-containers.ts";

export const streamContainers: ServerStreamHandler<StreamContainersRequest, StreamContainersResponse> = async function* (
  engine,
  { filter },
) {
  for (const containers of batches(filterContainers(engine, filter))) yield { containers: containers.map(toContainer) };
};
