// Port forwarding over a WebSocket: either a SPDY connection in its messages, or, as older clients have it, two channels for each
// port that the ticket names.
import { Duplex } from "node:stream";
import { createWebSocketStream, type WebSocket } from "ws";
import { messageOf } from "../../base/errors.ts";
import { ChannelSocket } from "./channel-socket.ts";
import { Incoming } from "./incoming.ts";
import { TUNNELLED_PORTS } from "./protocols.ts";
import type { PortForwardRequest } from "./request.ts";
import { servePortsOverSpdy } from "./spdy-ports.ts";

/** Serves one connection to its end. */
export async function servePortsOverWebSocket(socket: WebSocket, protocol: string, request: PortForwardRequest): Promise<void> {
  if (protocol === TUNNELLED_PORTS) return await servePortsOverSpdy(createWebSocketStream(socket), request);
  const channels = new ChannelSocket(socket, protocol);
  const gone = new AbortController();
  const incoming = request.ports.map(() => new Incoming());
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  socket.once("close", () => {
    gone.abort();
    for (const each of incoming) each.destroy();
  });
  // The even channel of a port has its data, the odd one errors.
  channels.onMessage((channel, data) => (channel % 2 === 0 ? incoming[channel / 2]?.receive(data) : undefined));
  const forwards = request.ports.map(async (port, index) => {
    const [dataChannel, errorChannel] = [2 * index, 2 * index + 1];
    const number = Buffer.alloc(2);
    number.writeUInt16LE(port);
    channels.send(dataChannel, number);
    channels.send(errorChannel, number);
    const data = Duplex.from({ readable: incoming[index], writable: channels.writable(dataChannel) });
    // The connection's end is told by `gone`.
    data.on("error", () => {});
    try {
      await request.run(port, data, gone.signal);
    } catch (failure) {
      channels.send(errorChannel, Buffer.from(`error forwarding port ${port}: ${messageOf(failure)}`));
    } finally {
      // What still comes for it is nobody's, and must not hold up the others.
      incoming[index]?.destroy();
    }
  });
  await Promise.all(forwards);
  channels.close();
  await closed;
}
