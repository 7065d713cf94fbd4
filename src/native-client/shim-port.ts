// One connection to a port of a pod: after the shim's answer its socket carries the bytes of both sides, and nothing else.
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import { written } from "../base/drained.ts";
import { AgentError, messageOf, wrap } from "../base/errors.ts";
import { ShimRequest, ShimResponse } from "../generated/berth/native/shim.ts";
import { asAgentError } from "./failure.ts";
import { encodeFrame } from "./frame.ts";
import { FrameReader } from "./frame-reader.ts";
import { explainUnknownCall } from "./protocol.ts";

/**
 * Resolves when both directions have ended.
 *
 * @param port 1 to 65535, of the pod's loopback
 * @param gone aborted when the client has gone away
 * @throws AgentError unavailable when nobody listens, or the connection breaks; cancelled
 */
export async function forwardPort(socketPath: string, peer: string, port: number, data: Duplex, gone: AbortSignal): Promise<void> {
  const reader = new FrameReader(socketPath);
  const { socket } = reader;
  const leave = (): void => void socket.destroy(new AgentError("cancelled", "the client has gone away"));
  if (gone.aborted) leave();
  gone.addEventListener("abort", leave, { once: true });
  try {
    socket.write(encodeFrame(ShimRequest.encode({ id: 1n, call: { $case: "portForward", value: { port } } }).finish()));
    await answered(reader);
    const toPod = pipeline(data, socket, { signal: gone }).catch((failure: unknown) => {
      // A pod that has said all may leave before it has heard all.
      if (!data.writableFinished) throw failure;
    });
    await Promise.all([toPod, passOn(reader, data)]);
  } catch (failure) {
    const cause = failure instanceof AgentError ? failure : new AgentError(gone.aborted ? "cancelled" : "unavailable", messageOf(failure));
    throw wrap(cause, `connect to port ${port} by ${peer}`);
  } finally {
    gone.removeEventListener("abort", leave);
    socket.destroy();
  }
}

async function passOn(reader: FrameReader, data: Duplex): Promise<void> {
  for await (const bytes of reader.bytes()) {
    await written(data, bytes);
    if (data.destroyed) return;
  }
  data.end();
}

async function answered(reader: FrameReader): Promise<void> {
  for (;;) {
    const message = await reader.message();
    if (message === undefined) throw new AgentError("unavailable", "the connection ended");
    const { id, failure } = ShimResponse.decode(message);
    if (failure !== undefined) throw explainUnknownCall(asAgentError(failure));
    // What has no id is news of the pod, that came before the shim knew what this connection is for.
    if (id !== 0n) return;
  }
}
