import { AgentError } from "../../base/errors.ts";
import type { ExecRequest, ExecResponse } from "../../generated/cri/runtime/v1/api.ts";
import type { Handler } from "../edge.ts";
import { resolveContainerId } from "../resolve-id.ts";
import { checkStreams } from "../streaming/check-streams.ts";

export const exec: Handler<ExecRequest, ExecResponse> = (engine, request) => {
  const { tty, stdin, stdout, stderr, cmd } = request;
  checkStreams("exec in", request);
  const id = engine.containers.requireRunning(resolveContainerId(engine, request.containerId), "exec in");
  if (cmd.length === 0) throw new AgentError("invalid-argument", `exec in container ${id}: the command is empty`);
  const run = engine.containers.exec.bind(engine.containers, id, cmd, tty);
  return { url: engine.streaming.url({ kind: "exec", tty, stdin, stdout, stderr, run }) };
};
