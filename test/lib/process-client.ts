// The client of one exec or attach, over either transport.
import { ChannelClient } from "./channel-client.ts";
import type { ConnectionMaker } from "./cut-connection.ts";
import { SpdyClient, type SpdyClientStream } from "./spdy-client.ts";

export type Transport = "spdy" | "websocket";

export interface ProcessClient {
  send(data: string | Buffer): void;
  endInput(): void;
  resize(width: number, height: number): void;
  /** that has come so far */
  output(): string;
  /** Resolves with the status, or with "" when the connection ended without one. */
  readonly status: Promise<string>;
  /** Resolves when the connection is over. */
  leave(): Promise<void>;
}

export interface ProcessWanted {
  readonly stdin: boolean;
  readonly tty: boolean;
}

export async function openProcess(transport: Transport, url: string, wanted: ProcessWanted, by: ConnectionMaker): Promise<ProcessClient> {
  return transport === "spdy" ? await overSpdy(url, wanted, by) : await overWebSocket(url, by);
}

async function overSpdy(url: string, { stdin, tty }: ProcessWanted, by: ConnectionMaker): Promise<ProcessClient> {
  const client = await SpdyClient.connect(url, ["v4.channel.k8s.io"], true, by);
  const streams: Record<string, SpdyClientStream> = {};
  for (const [type, isWanted] of Object.entries({ error: true, stdin, stdout: true, resize: tty }))
    if (isWanted) streams[type] = await client.open({ streamType: type });
  const { error, stdout } = streams;
  return {
    send: (data) => streams["stdin"]?.write(data),
    endInput: () => streams["stdin"]?.end(),
    resize: (Width, Height) => streams["resize"]?.write(JSON.stringify({ Width, Height })),
    output: () => Buffer.concat(stdout?.chunks ?? []).toString(),
    // Output comes before it, on a stream of its own.
    status: Promise.all([error?.ended, stdout?.ended]).then(([status]) => status ?? ""),
    leave: async () => {
      client.socket.destroy();
      await client.closed.catch(() => {});
    },
  };
}

async function overWebSocket(url: string, by: ConnectionMaker): Promise<ProcessClient> {
  const client = await ChannelClient.connect(url, ["v5.channel.k8s.io"], by);
  client.socket.on("error", () => {});
  return {
    send: (data) => client.send(0, data),
    endInput: () => client.send(255, Buffer.of(0)),
    resize: (Width, Height) => client.send(4, JSON.stringify({ Width, Height })),
    output: () => client.received(1),
    status: client.closed.then(() => client.received(3)),
    leave: async () => {
      client.socket.terminate();
      await client.closed;
    },
  };
}
