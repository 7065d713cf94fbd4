// A WebSocket whose subprotocol has a slash, as kubectl's port-forward asks for it, and libraries refuse to: its binary messages as one
// stream of bytes.
import { randomBytes } from "node:crypto";
import { request } from "node:http";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import type { ConnectionMaker } from "./cut-connection.ts";

const BINARY = 0x82;
const LONG = 127;

/** @returns the stream and the protocol that the server chose */
export async function openTunnel(url: string, protocol: string, by: ConnectionMaker = {}): Promise<{ stream: Duplex; protocol: string }> {
  const { socket, protocol: chosen } = await upgradeToWebSocket(url, protocol, by);
  return { stream: tunnel(socket), protocol: chosen };
}

/** @returns the connection itself, of which nothing is read yet */
export async function upgradeToWebSocket(
  url: string,
  protocol: string,
  by: ConnectionMaker = {},
): Promise<{ socket: Socket; protocol: string }> {
  const asked = request(url, {
    ...by,
    headers: {
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": randomBytes(16).toString("base64"),
      "sec-websocket-protocol": protocol,
    },
  });
  asked.end();
  const { promise, resolve, reject } = Promise.withResolvers<{ socket: Socket; protocol: string }>();
  asked.once("error", reject);
  asked.once("response", ({ statusCode }) => reject(new Error(`not upgraded: ${statusCode}`)));
  asked.once("upgrade", (answer, socket, head) => {
    if (head.length > 0) socket.unshift(head);
    resolve({ socket: socket as Socket, protocol: String(answer.headers["sec-websocket-protocol"]) });
  });
  return await promise;
}

function tunnel(socket: Duplex): Duplex {
  return Duplex.from({
    readable: messages(socket),
    writable: async (source: AsyncIterable<Buffer>) => {
      for await (const chunk of source) socket.write(frame(chunk));
      socket.end();
    },
  });
}

/** A client has to mask what it sends. */
function frame(data: Buffer): Buffer {
  const header = Buffer.alloc(10);
  header[0] = BINARY;
  header[1] = 0x80 | LONG;
  header.writeBigUInt64BE(BigInt(data.length), 2);
  const mask = randomBytes(4);
  return Buffer.concat([header, mask, data.map((byte, index) => byte ^ (mask[index % 4] ?? 0))]);
}

async function* messages(socket: Duplex): AsyncGenerator<Buffer> {
  let pending = Buffer.alloc(0);
  for await (const chunk of socket) {
    pending = Buffer.concat([pending, chunk as Buffer]);
    for (;;) {
      const short = (pending[1] ?? 0) & 0x7f;
      const headerBytes = short < 126 ? 2 : short === 126 ? 4 : 10;
      if (pending.length < headerBytes) break;
      const length = short < 126 ? short : short === 126 ? pending.readUInt16BE(2) : Number(pending.readBigUInt64BE(2));
      if (pending.length < headerBytes + length) break;
      if ((pending[0] ?? 0) === BINARY) yield pending.subarray(headerBytes, headerBytes + length);
      pending = pending.subarray(headerBytes + length);
    }
  }
}
