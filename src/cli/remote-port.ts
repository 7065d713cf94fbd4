// One connection to a port of a pod: a WebSocket with two channels, data and errors, which both begin with the port's number.
import { once } from "node:events";
import type { Socket } from "node:net";
import { WebSocket } from "ws";
import { AgentError } from "../base/errors.ts";

const PROTOCOL = "v4.channel.k8s.io";
const [DATA, ERROR] = [0, 1];
const PORT_BYTES = 2;

/** Resolves when the connection is over. @throws AgentError unavailable with what the node says */
export async function forwardConnection(url: string, connection: Socket): Promise<void> {
  const socket = new WebSocket(url.replace(/^http/, "ws"), PROTOCOL, { perMessageDeflate: false });
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  const seen = new Set<number>();
  let problem = "";
  socket.on("message", (raw: Buffer) => {
    const channel = raw[0] ?? 0;
    // The first message of each channel is the number.
    const bytes = raw.subarray(seen.has(channel) ? 1 : 1 + PORT_BYTES);
    seen.add(channel);
    if (channel === ERROR) problem += bytes.toString();
    if (channel !== DATA || bytes.length === 0 || connection.write(bytes)) return;
    socket.pause();
    connection.once("drain", () => socket.resume());
  });
  connection.once("close", () => socket.close());
  try {
    await once(socket, "open");
    void passOn(connection, socket).catch(() => {});
    await closed;
  } finally {
    socket.terminate();
  }
  if (problem !== "") throw new AgentError("unavailable", problem);
  connection.end();
}

async function passOn(connection: Socket, socket: WebSocket): Promise<void> {
  for await (const chunk of connection) {
    await new Promise<void>((resolve, reject) => {
      socket.send(Buffer.concat([Buffer.of(DATA), chunk as Buffer]), (failure) => (failure ? reject(failure) : resolve()));
    });
  }
}
