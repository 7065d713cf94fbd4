// The HTTP server of exec, attach and port-forward. The CRI's calls give out addresses of it; clients upgrade their connections to
// SPDY or WebSocket here. Whoever has a ticket may use it, so it listens on the node's loopback unless told otherwise.
import type { IncomingMessage, Server } from "node:http";
import { type AddressInfo, isIPv6, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import { AgentError, messageOf } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { choose, PORTS_OVER_SPDY, PORTS_OVER_WEBSOCKET, PROCESS_OVER_SPDY, PROCESS_OVER_WEBSOCKET, SPDY } from "./protocols.ts";
import type { StreamRequest } from "./request.ts";
import { servePortsOverSpdy } from "./spdy-ports.ts";
import { serveProcessOverSpdy } from "./spdy-process.ts";
import { Tickets } from "./tickets.ts";
import { servePortsOverWebSocket } from "./websocket-ports.ts";
import { serveProcessOverWebSocket } from "./websocket-process.ts";

// An import would ask the module for all that it has, and for its WebSocket Node loads an HTTP client: a fifth of berthd's start.
const { createServer } = process.getBuiltinModule("node:http");

const MAX_CONNECTIONS = 2048;
const MAX_HEADER_BYTES = 16 * 1024;
const MAX_MESSAGE_BYTES = 1024 * 1024;
// A client whose machine has vanished is found out by it.
const KEEP_ALIVE_MS = 30_000;

export interface StreamingOptions {
  readonly address: string;
  /** 0: any that is free */
  readonly port: number;
  /** A connection on which nothing happens that long is ended; 0: never. */
  readonly idleTimeoutMs: number;
  readonly log: Log;
}

export class StreamingServer {
  readonly #tickets = new Tickets<StreamRequest>();
  readonly #options: StreamingOptions;
  readonly #http: Server;
  readonly #webSockets: WebSocketServer;
  readonly #connections = new Set<Duplex>();
  /** of WebSockets that are being opened */
  readonly #protocols = new WeakMap<IncomingMessage, string>();

  private constructor(options: StreamingOptions) {
    this.#options = options;
    this.#http = createServer({ maxHeaderSize: MAX_HEADER_BYTES });
    this.#http.maxConnections = MAX_CONNECTIONS;
    this.#webSockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      autoPong: false,
      maxPayload: MAX_MESSAGE_BYTES,
    });
    this.#webSockets.on("headers", (headers, request) => {
      const protocol = this.#protocols.get(request) ?? "";
      if (protocol !== "") headers.push(`Sec-WebSocket-Protocol: ${protocol}`);
    });
    this.#http.on("request", (request, response) => {
      const isKnown = this.#redeem(request) !== undefined;
      response.writeHead(isKnown ? 400 : 404, { "content-type": "text/plain", connection: "close" });
      response.end(isKnown ? "the connection must be upgraded to SPDY/3.1 or to a WebSocket\n" : "there is no such ticket\n");
    });
    // A connection that can't be accepted, as without free descriptors, is lost to its client alone.
    this.#http.on("error", ({ message }) => this.#options.log.warn({ err: message }, "a connection for streams was not accepted"));
    this.#http.on("upgrade", (request, socket, head) => this.#upgrade(request, socket as Socket, head));
  }

  /** @throws AgentError unavailable when the address can't be listened on */
  static async open(options: StreamingOptions): Promise<StreamingServer> {
    const server = new StreamingServer(options);
    const { address: host, port } = options;
    await new Promise<void>((resolve, reject) => {
      server.#http.once("error", (failure) =>
        reject(new AgentError("unavailable", `listen for streams on ${host} port ${port}: ${failure.message}`)),
      );
      server.#http.listen({ host, port }, resolve);
    });
    return server;
  }

  /** The address at which this may be had, once. @throws AgentError resource-exhausted */
  url(request: StreamRequest): string {
    const { address, port } = this.#http.address() as AddressInfo;
    return `http://${isIPv6(address) ? `[${address}]` : address}:${port}/${request.kind}/${this.#tickets.issue(request)}`;
  }

  /** Ends all connections. Processes that run for them are ended by their callers. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#http.close(() => resolve()));
    this.#http.closeAllConnections();
    for (const connection of this.#connections) connection.destroy();
    await closed;
  }

  #redeem(request: IncomingMessage): StreamRequest | undefined {
    const [, kind, ticket = ""] = /^\/([a-z]+)\/([\w-]+)$/.exec(pathOf(request)) ?? [];
    const found = this.#tickets.redeem(ticket);
    return found?.kind === kind ? found : undefined;
  }

  #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    socket.on("error", () => socket.destroy());
    const wanted = this.#redeem(request);
    if (wanted === undefined) return void refuse(socket, "404 Not Found", "there is no such ticket");
    const upgrade = (request.headers.upgrade ?? "").toLowerCase();
    if (upgrade === SPDY.toLowerCase()) this.#overSpdy(wanted, request, socket, head);
    else if (upgrade === "websocket") this.#overWebSocket(wanted, request, socket, head);
    else refuse(socket, "400 Bad Request", `the connection must be upgraded to ${SPDY} or to a WebSocket`);
  }

  #overSpdy(wanted: StreamRequest, request: IncomingMessage, socket: Socket, head: Buffer): void {
    const known = wanted.kind === "portforward" ? PORTS_OVER_SPDY : PROCESS_OVER_SPDY;
    const offered = listOf(request.headers["x-stream-protocol-version"]);
    if (offered.length === 0) return void refuse(socket, "400 Bad Request", "X-Stream-Protocol-Version is missing");
    const protocol = choose(offered, known);
    if (protocol === undefined) {
      const accepted = known.map((each) => `X-Accepted-Stream-Protocol-Versions: ${each}`);
      return void refuse(socket, "403 Forbidden", `none of ${offered.join(", ")} is known here`, accepted);
    }
    this.#keep(socket);
    const answer = [`Upgrade: ${SPDY}`, "Connection: Upgrade", `X-Stream-Protocol-Version: ${protocol}`];
    socket.write(`HTTP/1.1 101 Switching Protocols\r\n${answer.join("\r\n")}\r\n\r\n`);
    if (head.length > 0) socket.unshift(head);
    const served = wanted.kind === "portforward" ? servePortsOverSpdy(socket, wanted) : serveProcessOverSpdy(socket, protocol, wanted);
    this.#follow(wanted, socket, served);
  }

  #overWebSocket(wanted: StreamRequest, request: IncomingMessage, socket: Socket, head: Buffer): void {
    const offered = listOf(request.headers["sec-websocket-protocol"]);
    const protocol = choose(offered.length === 0 ? [""] : offered, overWebSocket(wanted.kind));
    if (protocol === undefined) return void refuse(socket, "403 Forbidden", `none of ${offered.join(", ")} is known here`);
    this.#keep(socket);
    // The library refuses names with a slash, and Kubernetes has one: it is not told of any.
    delete request.headers["sec-websocket-protocol"];
    this.#protocols.set(request, protocol);
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      webSocket.on("error", () => {});
      // A client that asks and does not read the answers gets none.
      webSocket.on("ping", (data) => webSocket.bufferedAmount < MAX_MESSAGE_BYTES && webSocket.pong(data));
      // The library has set it back.
      socket.setTimeout(this.#options.idleTimeoutMs);
      const served =
        wanted.kind === "portforward"
          ? servePortsOverWebSocket(webSocket, protocol, wanted)
          : serveProcessOverWebSocket(webSocket, protocol, wanted);
      this.#follow(wanted, socket, served);
    });
  }

  #keep(socket: Socket): void {
    this.#connections.add(socket);
    socket.once("close", () => this.#connections.delete(socket));
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    socket.setTimeout(this.#options.idleTimeoutMs, () => socket.destroy());
  }

  #follow({ kind }: StreamRequest, socket: Socket, served: Promise<void>): void {
    served
      .catch((failure: unknown) => this.#options.log.debug({ kind, err: messageOf(failure) }, "a stream ended early"))
      .finally(() => socket.destroySoon());
  }
}

const pathOf = (request: IncomingMessage): string => (request.url ?? "").replace(/\?.*$/, "");

const overWebSocket = (kind: string): readonly string[] => (kind === "portforward" ? PORTS_OVER_WEBSOCKET : PROCESS_OVER_WEBSOCKET);

const listOf = (header: string | readonly string[] | undefined): string[] =>
  [header ?? []]
    .flat()
    .flatMap((line) => line.split(","))
    .map((each) => each.trim())
    .filter((each) => each !== "");

function refuse(socket: Socket, status: string, why: string, headers: readonly string[] = []): void {
  const lines = [`HTTP/1.1 ${status}`, "Connection: close", "Content-Type: text/plain", `Content-Length: ${why.length + 1}`, ...headers];
  socket.end(`${lines.join("\r\n")}\r\n\r\n${why}\n`);
  // Its client's half may stay open for ever.
  socket.destroySoon();
}
