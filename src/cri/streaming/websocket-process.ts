// Exec and attach over a WebSocket: a channel for each stream. Version 5 can close one of them without the others.
import type { WebSocket } from "ws";
import { ChannelSocket } from "./channel-socket.ts";
import { Incoming } from "./incoming.ts";
import { statusObject, statusText } from "./outcome.ts";
import { serveProcess } from "./process-session.ts";
import { versionOf } from "./protocols.ts";
import type { ProcessRequest } from "./request.ts";
import { TerminalSizes } from "./terminal-sizes.ts";

const CHANNEL = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;
const FIRST_VERSION_WITH_OBJECT = 4;

/** Serves one connection to its end. */
export async function serveProcessOverWebSocket(socket: WebSocket, protocol: string, request: ProcessRequest): Promise<void> {
  const version = versionOf(protocol);
  const channels = new ChannelSocket(socket, protocol);
  const gone = new AbortController();
  const stdin = request.stdin ? new Incoming() : undefined;
  const sizes = new TerminalSizes();
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  socket.once("close", () => {
    gone.abort();
    stdin?.destroy();
  });
  channels.onMessage((channel, data) => {
    if (channel === CHANNEL.stdin) return stdin?.receive(data);
    if (channel === CHANNEL.resize) sizes.push(data.toString());
    if (channel === CHANNEL.close && version >= 5 && data[0] === CHANNEL.stdin) stdin?.receiveEnd();
    return undefined;
  });
  const [stdout, stderr] = [
    request.stdout ? channels.writable(CHANNEL.stdout) : undefined,
    request.stderr ? channels.writable(CHANNEL.stderr) : undefined,
  ];
  // As Kubernetes' own server does: the client learns that it is spoken to.
  channels.send(stdout !== undefined ? CHANNEL.stdout : stderr !== undefined ? CHANNEL.stderr : CHANNEL.error, Buffer.alloc(0));
  await serveProcess(request, {
    ...(stdin && { stdin }),
    ...(stdout && { stdout }),
    ...(stderr && { stderr }),
    sizes,
    gone: gone.signal,
    finish: async (outcome) => {
      const status = version >= FIRST_VERSION_WITH_OBJECT ? statusObject(outcome) : statusText(outcome);
      if (status !== "") channels.send(CHANNEL.error, Buffer.from(status));
      // The client's own close comes behind all that it has sent.
      stdin?.destroy();
      channels.close();
    },
  });
  await closed;
}
