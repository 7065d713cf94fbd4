// Sessions as clients have them: what each asks of a pod, and what has to come back.
import { isDeepStrictEqual } from "node:util";
import type { ConnectionMaker } from "../lib/cut-connection.ts";
import { openProcess, type ProcessClient, type ProcessWanted, type Transport } from "../lib/process-client.ts";
import type { Container, Pod } from "../lib/pods.ts";
import { SpdyClient } from "../lib/spdy-client.ts";
import { ChannelClient } from "../lib/channel-client.ts";
import { openTunnel } from "../lib/websocket-tunnel.ts";
import type { Random } from "./random.ts";

export const PORT = 8080;
const CLOSED_PORT = 81;
const MOST_INPUT_BYTES = 100_000;

/** A pod with a container for each kind of session. */
export interface SessionPod {
  readonly pod: Pod;
  /** runs the commands */
  readonly shell: Container;
  /** says again what it reads, line by line */
  readonly echo: Container;
  /** the same, with a terminal */
  readonly terminal: Container;
}

/** @param connect makes the client's connection, to an address with a ticket */
export type Session = (place: SessionPod, transport: Transport, random: Random, connect: (url: string) => ConnectionMaker) => Promise<void>;

export const EXECS: Readonly<Record<string, Session>> = {
  "a command that succeeds": async (...session) => {
    await exec(...session, ["echo", "well"], { stdin: false, tty: false }, async (client) => {
      is(await client.status, { metadata: {}, status: "Success" });
      is(client.output(), "well\n");
    });
  },
  "a command that fails": async (...session) => {
    const code = session[2].between(1, 125);
    await exec(...session, ["sh", "-c", `exit ${code}`], { stdin: false, tty: false }, async (client) =>
      isExitCode(await client.status, code),
    );
  },
  "a command that is not there": async (...session) => {
    await exec(...session, ["/no/such/command"], { stdin: false, tty: false }, async (client) =>
      is(JSON.parse((await client.status) || "{}").reason, "InternalError"),
    );
  },
  "a command with input to its half close": async (...session) => {
    const input = "0123456789".repeat(session[2].below(MOST_INPUT_BYTES / 10));
    await exec(...session, ["sh", "-c", "cat; exit 7"], { stdin: true, tty: false }, async (client) => {
      client.send(input);
      client.endInput();
      isExitCode(await client.status, 7);
      is(client.output(), input);
    });
  },
  "a command with a terminal whose size changes": async (...session) => {
    const [width, height] = [session[2].between(10, 300), session[2].between(10, 100)];
    await exec(...session, ["sh", "-c", "read go; stty size; exit 3"], { stdin: true, tty: true }, async (client) => {
      client.resize(1, 1);
      client.resize(width, height);
      client.send("go\n");
      isExitCode(await client.status, 3);
      is(client.output(), `go\r\n${height} ${width}\r\n`);
    });
  },
};

export const ATTACHES: Readonly<Record<string, Session>> = {
  "attached, and left": async (...session) => await attach(...session, "echo", async () => {}),
  "attached, and left after its input was closed": async (...session) =>
    await attach(...session, "echo", async (client) => client.endInput()),
  "attached to a terminal whose size changes": async (...session) => {
    await attach(...session, "terminal", async (client) => client.resize(session[2].between(10, 300), session[2].between(10, 100)));
  },
};

export const FORWARDS: Readonly<Record<string, Session>> = {
  "a port that answers to a half close": async ({ pod }, transport, random, connect) => {
    const data = "0123456789".repeat(random.below(MOST_INPUT_BYTES / 10));
    await forward(pod, PORT, transport, connect, async ({ client, error, stream }) => {
      stream.write(data);
      stream.end();
      is(await stream.ended, `${data}end`);
      is(await error.ended, "");
      client.socket.destroy();
    });
  },
  "a port that the client resets": async ({ pod }, transport, _random, connect) => {
    await forward(pod, PORT, transport, connect, async ({ client, error, stream }) => {
      stream.write("well");
      stream.reset();
      is(await error.ended, "");
      client.socket.destroy();
    });
  },
  "a port that nobody listens on": async ({ pod }, transport, _random, connect) => {
    await forward(pod, CLOSED_PORT, transport, connect, async ({ client, error }) => {
      isMatch(await error.ended, /error forwarding port 81/);
      client.socket.destroy();
    });
  },
  "a port by channels": async ({ pod }, _transport, _random, connect) => {
    const { url } = await pod.node.cri.call<{ url: string }>("PortForward", { pod_sandbox_id: pod.id, port: [PORT] });
    const client = await ChannelClient.connect(url, ["v4.channel.k8s.io"], connect(url));
    client.socket.on("error", () => {});
    client.send(0, "well");
    // The port's number comes first.
    await pod.node.eventually("it answers", async () => (client.received(0).endsWith("well") || isOver(client) ? true : undefined));
    const answer = client.received(0).slice(2);
    client.socket.terminate();
    await client.closed;
    is(answer, "well");
  },
};

async function exec(
  { shell }: SessionPod,
  transport: Transport,
  _random: Random,
  connect: (url: string) => ConnectionMaker,
  cmd: readonly string[],
  wanted: ProcessWanted,
  use: (client: ProcessClient) => Promise<void>,
): Promise<void> {
  const request = { container_id: shell.id, cmd, stdout: true, ...wanted };
  const { url } = await shell.node.cri.call<{ url: string }>("Exec", request);
  const client = await openProcess(transport, url, wanted, connect(url));
  try {
    await use(client);
  } finally {
    await client.leave();
  }
}

/** Says a line that nobody else says, and leaves when it has come back. */
async function attach(
  place: SessionPod,
  transport: Transport,
  random: Random,
  connect: (url: string) => ConnectionMaker,
  to: "echo" | "terminal",
  then: (client: ProcessClient) => Promise<void>,
): Promise<void> {
  const { node, id } = place[to];
  const wanted = { stdin: true, tty: to === "terminal" };
  const { url } = await node.cri.call<{ url: string }>("Attach", { container_id: id, stdout: true, ...wanted });
  const client = await openProcess(transport, url, wanted, connect(url));
  const line = `line ${random.below(2 ** 32)}`;
  let isOver = false;
  void client.status.then(() => {
    isOver = true;
  });
  try {
    client.send(`${line}\n`);
    const answer = `got ${line}`;
    await node.eventually(`${answer} comes`, async () => (client.output().includes(answer) || isOver ? true : undefined));
    isMatch(client.output(), new RegExp(answer));
    await then(client);
  } finally {
    await client.leave();
  }
}

async function forward(
  pod: Pod,
  port: number,
  transport: Transport,
  connect: (url: string) => ConnectionMaker,
  use: (streams: Awaited<ReturnType<typeof openPair>>) => Promise<void>,
): Promise<void> {
  const { url } = await pod.node.cri.call<{ url: string }>("PortForward", { pod_sandbox_id: pod.id, port: [port] });
  const client =
    transport === "spdy"
      ? await SpdyClient.connect(url, ["portforward.k8s.io"], true, connect(url))
      : SpdyClient.over((await openTunnel(url, "SPDY/3.1+portforward.k8s.io", connect(url))).stream);
  try {
    await use(await openPair(client, port));
  } finally {
    client.socket.destroy();
    await client.closed.catch(() => {});
  }
}

async function openPair(client: SpdyClient, port: number) {
  const headers = { port: String(port), requestID: "0" };
  const error = await client.open({ streamType: "error", ...headers });
  error.end();
  return { client, error, stream: await client.open({ streamType: "data", ...headers }) };
}

const isOver = ({ socket }: ChannelClient): boolean => socket.readyState === socket.CLOSED;

function isExitCode(status: string, code: number): void {
  is(JSON.parse(status || "{}").details?.causes, [{ reason: "ExitCode", message: String(code) }]);
}

function is(found: unknown, expected: unknown): void {
  const value = typeof expected === "object" && typeof found === "string" ? JSON.parse(found || "{}") : found;
  if (!isDeepStrictEqual(value, expected)) throw new Error(`${brief(value)} came, and not ${brief(expected)}`);
}

function isMatch(found: string, expected: RegExp): void {
  if (!expected.test(found)) throw new Error(`${brief(found)} came, and not ${expected}`);
}

const brief = (value: unknown): string => (JSON.stringify(value) ?? "nothing").slice(0, 200);
