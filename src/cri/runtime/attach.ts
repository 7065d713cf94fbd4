import type { AttachRequest, AttachResponse } from "../../generated/cri/runtime/v1/api.ts";
import type { Handler } from "../edge.ts";
import { resolveContainerId } from "../resolve-id.ts";
import { checkStreams } from "../streaming/check-streams.ts";

export const attach: Handler<AttachRequest, AttachResponse> = (engine, request) => {
  const { tty, stdin, stdout, stderr } = request;
  checkStreams("attach to", request);
  const id = engine.containers.requireRunning(resolveContainerId(engine, request.containerId), "attach to");
  const run = engine.containers.attach.bind(engine.containers, id);
  return { url: engine.streaming.url({ kind: "attach", tty, stdin, stdout, stderr, run }) };
};
