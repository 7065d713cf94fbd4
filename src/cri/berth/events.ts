import type { EventsRequest, EventsResponse } from "../../generated/berth/v1/berth.ts";
import type { ServerStreamHandler } from "../edge.ts";

/** As GetContainerEvents, with a cursor, so that a reader that was away goes on where it stopped. */
export const events: ServerStreamHandler<EventsRequest, EventsResponse> = async function* (engine, { cursor, follow }, { signal }) {
  for await (const numbered of engine.events.read(cursor === "" ? engine.events.cursor : cursor, follow, signal)) {
    const { type, id, sandboxId, podName, atNanos } = numbered.event;
    yield { cursor: numbered.cursor, type, id, podSandboxId: sandboxId, podName, atNanos };
  }
};
