import { AgentError } from "../../base/errors.ts";
import type { PortForwardRequest, PortForwardResponse } from "../../generated/cri/runtime/v1/api.ts";
import type { Handler } from "../edge.ts";
import { resolveSandboxId } from "../resolve-id.ts";

// Clients of the older WebSocket protocol have two channels for each, and a channel is one byte.
const MAX_PORTS = 128;

export const portForward: Handler<PortForwardRequest, PortForwardResponse> = (engine, { podSandboxId, port: ports }) => {
  const id = resolveSandboxId(engine, podSandboxId);
  const { state } = engine.sandboxes.get(id);
  if (state !== "ready") throw new AgentError("failed-precondition", `forward ports of pod ${id}: it is ${state}`);
  if (ports.length > MAX_PORTS)
    throw new AgentError("invalid-argument", `forward ports of pod ${id}: ${ports.length} are over ${MAX_PORTS}`);
  const bad = ports.find((port) => port < 1 || port > 65_535);
  if (bad !== undefined) throw new AgentError("invalid-argument", `forward ports of pod ${id}: port ${bad} is not within 1 to 65535`);
  const run = engine.sandboxes.forwardPort.bind(engine.sandboxes, id);
  return { url: engine.streaming.url({ kind: "portforward", ports, run }) };
};
