// One connection to a port of a pod: after the shim's answer its socket carries the bytes of both sides, and nothing else.
import { createConnection, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import { AgentError, messageOf, wrap } from "../base/errors.ts";
import { ShimRequest, ShimResponse } from "../generated/berth/native/shim.ts";
import { asAgentError } from "./failure.ts";
import { encodeFrame, readFrame } from "./frame.ts";

/**
 * Resolves when both directions have ended.
 *
 * @param port 1 to 65535, of the pod's loopback
 * @param gone aborted when the client has gone away
 * @throws AgentError unavailable when nobody listens, or the connection breaks; cancelled
 */
export async function forwardPort(socketPath: string, peer: string, port: number, data: Duplex, gone: AbortSignal): Promise<void> {
  const socket = createConnection({ path: socketPath, allowHalfOpen: true });
  try {
    socket.write(encodeFrame(ShimRequest.encode({ id: 1n, call: { $case: "portForward", value: { port } } }).finish()));
    await answered(socket, gone);
    const toPod = pipeline(data, socket, { signal: gone }).catch((failure: unknown) => {
      // A pod that has said all may leave before it has heard all.
      if (!data.writableFinished) throw failure;
    });
    await Promise.all([toPod, pipeline(socket, data, { signal: gone })]);
  } catch (failure) {
    const cause = failure instanceof AgentError ? failure : new AgentError(gone.aborted ? "cancelled" : "unavailable", messageOf(failure));
    throw wrap(cause, `connect to port ${port} by ${peer}`);
  } finally {
    socket.destroy();
  }
}

async function answered(socket: Socket, gone: AbortSignal): Promise<void> {
  for (;;) {
    const { id, failure } = ShimResponse.decode(await readFrame(socket, gone));
    if (failure !== undefined) throw asAgentError(failure);
    // What has no id is news of the pod, that came before the shim knew what this connection is for.
    if (id !== 0n) return;
  }
}
