// A process that somebody uses now: its streams have a connection to the shim of their own. Who does not read what comes holds up
// the process, and nobody else; when the connection ends first, the shim ends the process of an exec.
import type { Socket } from "node:net";
import type { Readable } from "node:stream";
import { drained, written } from "../base/drained.ts";
import { AgentError, messageOf, wrap } from "../base/errors.ts";
import { ShimRequest, ShimResponse, ShimStream, type ShimAttach, type ShimExec } from "../generated/berth/native/shim.ts";
import { asAgentError } from "./failure.ts";
import { encodeFrame } from "./frame.ts";
import { FrameReader } from "./frame-reader.ts";
import { outputIn } from "./process-output.ts";
import type { ProcessIo } from "./process-io.ts";
import { explainUnknownCall } from "./protocol.ts";

const REQUEST_ID = 1n;
const MAX_INPUT_BYTES = 64 * 1024;

export type SessionCall = { readonly $case: "exec"; readonly value: ShimExec } | { readonly $case: "attach"; readonly value: ShimAttach };

/**
 * Resolves with the exit code when the process has ended and all its output was given on.
 *
 * @param peer for messages: "shim of pod 0a1b2c3d4e5f6"
 * @throws AgentError cancelled when `io.gone` is aborted first, unavailable when the shim has ended, and what the shim says
 */
export async function runSession(socketPath: string, peer: string, call: SessionCall, io: ProcessIo): Promise<number> {
  const reader = new FrameReader(socketPath);
  const { socket } = reader;
  const leave = (): void => void socket.destroy(new AgentError("cancelled", "the client has gone away"));
  if (io.gone.aborted) leave();
  io.gone.addEventListener("abort", leave, { once: true });
  try {
    send(socket, call);
    io.onResize((size) => send(socket, { $case: "resize", value: size }));
    // Its failure is the end of the input, not of the process.
    if (io.stdin !== undefined) void passInput(io.stdin, socket).catch(() => send(socket, { $case: "input", value: inputEnd }));
    return await readToExit(reader, io);
  } catch (failure) {
    throw wrap(failure instanceof AgentError ? failure : new AgentError("unavailable", messageOf(failure)), `${call.$case} by ${peer}`);
  } finally {
    io.gone.removeEventListener("abort", leave);
    io.stdin?.destroy();
    socket.destroy();
  }
}

const inputEnd = { data: Buffer.alloc(0), end: true };

function send(socket: Socket, call: NonNullable<ShimRequest["call"]>): boolean {
  return socket.writable && socket.write(encodeFrame(ShimRequest.encode({ id: REQUEST_ID, call }).finish()));
}

async function passInput(stdin: Readable, socket: Socket): Promise<void> {
  for await (const chunk of stdin) {
    for (let at = 0; at < chunk.length; at += MAX_INPUT_BYTES) {
      const value = { data: (chunk as Buffer).subarray(at, at + MAX_INPUT_BYTES), end: false };
      if (!send(socket, { $case: "input", value })) await drained(socket);
    }
  }
  send(socket, { $case: "input", value: inputEnd });
}

async function readToExit(reader: FrameReader, { stdout, stderr }: ProcessIo): Promise<number> {
  for (let message = await reader.message(); message !== undefined; message = await reader.message()) {
    const output = outputIn(message);
    if (output !== undefined) {
      const stream = output.stream === ShimStream.SHIM_STREAM_STDERR ? stderr : stdout;
      // What was read is overwritten by the next: the stream has to be done with it.
      if (stream !== undefined) await written(stream, output.data);
      continue;
    }
    const { id, failure, result } = ShimResponse.decode(message);
    // News of the pod that came before the shim knew what this connection is for.
    if (id === 0n) continue;
    if (failure !== undefined) throw explainUnknownCall(asAgentError(failure));
    if (result?.$case === "execExit") return result.value.exitCode;
    throw new AgentError("internal", `the answer is ${result?.$case ?? "empty"}`);
  }
  throw new AgentError("unavailable", "the shim has ended the connection");
}
