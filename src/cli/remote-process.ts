// A process of the node whose streams are ours: a WebSocket with a channel for each, as Kubernetes has it.
import { once } from "node:events";
import type { Readable } from "node:stream";
import { WebSocket } from "ws";
import { AgentError } from "../base/errors.ts";
import type { LogStream } from "./cri-log.ts";

const PROTOCOL = "v5.channel.k8s.io";
const CHANNEL = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;
// The connection's memory, above which the input waits.
const MAX_BUFFERED_BYTES = 1024 * 1024;

export interface LocalStreams {
  readonly stdin: Readable | undefined;
  /** Resolves when the bytes are taken. */
  readonly print: (bytes: Uint8Array, stream: LogStream) => Promise<void>;
  /** Calls with the size of the terminal, and again when it changes, until the function that comes back is called. */
  readonly onResize: (listener: (size: { width: number; height: number }) => void) => () => void;
  readonly gone: AbortSignal;
}

/**
 * @param url as the node's answer to Exec or Attach has it
 * @returns the exit code
 * @throws AgentError cancelled when `gone` is aborted, internal with what the node says
 */
export async function runRemote(url: string, local: LocalStreams): Promise<number> {
  const socket = new WebSocket(url.replace(/^http/, "ws"), PROTOCOL, { perMessageDeflate: false });
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  const leave = (): void => socket.terminate();
  local.gone.addEventListener("abort", leave);
  let status = "";
  let printed = Promise.resolve();
  const print = (bytes: Buffer, stream: LogStream): void => {
    socket.pause();
    printed = printed.then(() => local.print(bytes, stream)).finally(() => socket.resume());
    // It fails the whole, below; our reader has gone away then.
    printed.catch(leave);
  };
  socket.on("message", (raw: Buffer) => {
    const bytes = raw.subarray(1);
    if (bytes.length === 0) return;
    if (raw[0] === CHANNEL.stdout) print(bytes, "stdout");
    else if (raw[0] === CHANNEL.stderr) print(bytes, "stderr");
    else if (raw[0] === CHANNEL.error) status += bytes.toString();
  });
  try {
    await once(socket, "open");
    const send = (channel: number, data: Uint8Array | string): void => socket.send(Buffer.concat([Buffer.of(channel), Buffer.from(data)]));
    using _resizing = disposing(
      local.onResize(({ width, height }) => send(CHANNEL.resize, JSON.stringify({ Width: width, Height: height }))),
    );
    // What can't be read any more is the end of the input, not of the command.
    if (local.stdin !== undefined)
      void passInput(local.stdin, socket, send)
        .catch(() => {})
        .finally(() => send(CHANNEL.close, Buffer.of(CHANNEL.stdin)));
    await closed;
    await printed;
  } finally {
    local.gone.removeEventListener("abort", leave);
    local.stdin?.destroy();
    socket.terminate();
  }
  local.gone.throwIfAborted();
  return exitCodeOf(status);
}

async function passInput(stdin: Readable, socket: WebSocket, send: (channel: number, data: Uint8Array) => void): Promise<void> {
  for await (const chunk of stdin) {
    if (socket.readyState !== WebSocket.OPEN) return;
    send(CHANNEL.stdin, chunk as Buffer);
    if (socket.bufferedAmount > MAX_BUFFERED_BYTES)
      await new Promise<void>((resolve) => socket.send(Buffer.of(CHANNEL.stdin), () => resolve()));
  }
}

const disposing = (dispose: () => void): Disposable => ({ [Symbol.dispose]: dispose });

/** @source metav1.Status, as remotecommand version 4 tells it */
function exitCodeOf(text: string): number {
  if (text === "") throw new AgentError("unavailable", "the connection ended before the command did");
  const status = JSON.parse(text) as { status?: string; reason?: string; message?: string; details?: { causes?: { message?: string }[] } };
  if (status.status === "Success") return 0;
  if (status.reason === "NonZeroExitCode") return Number(status.details?.causes?.[0]?.message ?? 1);
  throw new AgentError("internal", (status.message ?? "the command failed").replace(/^Internal error occurred: /, ""));
}
