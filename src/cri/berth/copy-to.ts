import { AgentError } from "../../base/errors.ts";
import type { CopyToRequest, CopyToResponse } from "../../generated/berth/v1/berth.ts";
import type { StreamHandler } from "../edge.ts";
import { resolveContainerId } from "../resolve-id.ts";

const MAX_PIECE_BYTES = 1024 * 1024;

export const copyTo: StreamHandler<CopyToRequest, CopyToResponse> = async (engine, requests, { signal }) => {
  const iterator = requests[Symbol.asyncIterator]();
  const first = await iterator.next();
  const target = first.done === true || first.value.piece?.$case !== "target" ? undefined : first.value.piece.value;
  if (target === undefined || target.path === "")
    throw new AgentError("invalid-argument", "copy to container: the first message names no target");
  const id = resolveContainerId(engine, target.containerId);
  await engine.containers.copyTo(id, target, dataOf({ [Symbol.asyncIterator]: () => iterator }), signal);
  return {};
};

async function* dataOf(requests: AsyncIterable<CopyToRequest>): AsyncGenerator<Buffer> {
  for await (const { piece } of requests) {
    if (piece?.$case !== "data") throw new AgentError("invalid-argument", "copy to container: a message after the first has no data");
    if (piece.value.length > MAX_PIECE_BYTES)
      throw new AgentError(
        "invalid-argument",
        `copy to container: a message has ${piece.value.length} bytes, over the bound of ${MAX_PIECE_BYTES}`,
      );
    if (piece.value.length > 0) yield piece.value;
  }
}
