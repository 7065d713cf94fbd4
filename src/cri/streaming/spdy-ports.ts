// Port forwarding over SPDY: for each connection the client opens an error stream and a data stream with the same request id.
import type { Duplex } from "node:stream";
import { messageOf } from "../../base/errors.ts";
import type { PortForwardRequest } from "./request.ts";
import { SpdySession } from "./spdy/session.ts";
import type { SpdyStream } from "./spdy/stream.ts";

const PAIRING_MS = 30_000;
const MAX_PORT = 65_535;

interface Pair {
  error?: SpdyStream;
  data?: SpdyStream;
  readonly late: NodeJS.Timeout;
}

/** Serves one connection to its end. @throws AgentError for a client that breaks the rules */
export async function servePortsOverSpdy(transport: Duplex, request: PortForwardRequest): Promise<void> {
  const gone = new AbortController();
  const pairs = new Map<string, Pair>();
  const session = new SpdySession(transport, (stream) => {
    const { id, headers } = stream;
    const type = headers.get("streamtype");
    if (type !== "error" && type !== "data") return void stream.destroy();
    // Old clients give no id; theirs are opened one after the other.
    const key = headers.get("requestid") ?? String(type === "error" ? id : id - 2);
    const pair: Pair = pairs.get(key) ?? { late: setTimeout(() => give(key, "the other stream did not come in time"), PAIRING_MS) };
    if (pair[type] !== undefined) return void stream.destroy();
    pair[type] = stream;
    pairs.set(key, pair);
    // A client that resets it before the other has come begins anew.
    stream.once("close", () => pairs.get(key) === pair && forget(key));
    const { error, data } = pair;
    if (error === undefined || data === undefined) return;
    forget(key);
    void forward(request, error, data, gone.signal);
  });
  const forget = (key: string): void => {
    clearTimeout(pairs.get(key)?.late);
    pairs.delete(key);
  };
  const give = (key: string, why: string): void => {
    const pair = pairs.get(key);
    forget(key);
    if (pair?.error !== undefined) finish(pair.error, why);
    pair?.data?.destroy();
  };
  try {
    await session.run();
  } finally {
    gone.abort();
    for (const { late } of pairs.values()) clearTimeout(late);
  }
}

/** Both streams are over afterwards. */
async function forward({ run }: PortForwardRequest, error: SpdyStream, data: SpdyStream, gone: AbortSignal): Promise<void> {
  error.resume();
  const port = Number(data.headers.get("port"));
  try {
    if (!(Number.isInteger(port) && port >= 1 && port <= MAX_PORT)) throw new Error(`port ${data.headers.get("port")} is none`);
    await run(port, data, gone);
    finish(data);
    finish(error);
  } catch (failure) {
    // Clients reset a connection that they are done with, and end the session over any word on its error stream.
    finish(error, data.wasReset ? "" : `error forwarding port ${port}: ${messageOf(failure)}`);
    data.destroy();
  }
}

/** Says the last word on a stream; whether the peer ends its half is not waited for. */
function finish(stream: SpdyStream, word = ""): void {
  if (word !== "") stream.write(word);
  stream.end(() => stream.destroy());
}
