// Exec and attach over SPDY: the client opens a stream for each kind, and one for the error.
import type { Duplex } from "node:stream";
import { AgentError } from "../../base/errors.ts";
import { statusObject, statusText } from "./outcome.ts";
import { serveProcess } from "./process-session.ts";
import { versionOf } from "./protocols.ts";
import type { ProcessRequest } from "./request.ts";
import { SpdySession } from "./spdy/session.ts";
import type { SpdyStream } from "./spdy/stream.ts";
import { TerminalSizes } from "./terminal-sizes.ts";

const CREATION_MS = 30_000;
const FIRST_VERSION_WITH_OBJECT = 4;
const FIRST_VERSION_WITH_RESIZE = 3;

type StreamType = "error" | "stdin" | "stdout" | "stderr" | "resize";

/** Serves one connection to its end. @throws AgentError for a client that breaks the rules */
export async function serveProcessOverSpdy(transport: Duplex, protocol: string, request: ProcessRequest): Promise<void> {
  const version = versionOf(protocol);
  const wanted = wantedStreams(request, version);
  const streams = new Map<string, SpdyStream>();
  const gone = new AbortController();
  const opened = Promise.withResolvers<void>();
  const session = new SpdySession(transport, (stream) => {
    const type = stream.headers.get("streamtype") ?? "";
    if (!wanted.has(type) || streams.has(type)) return void stream.destroy();
    streams.set(type, stream);
    if (streams.size === wanted.size) opened.resolve();
  });
  const late = setTimeout(
    () => opened.reject(new AgentError("deadline-exceeded", `open streams: ${[...streams.keys()]} of ${[...wanted]} came in time`)),
    CREATION_MS,
  );
  const served = opened.promise
    .then(() => serve(streams, version, request, gone.signal, session))
    .finally(() => {
      clearTimeout(late);
      session.close();
    });
  const ran = session.run().finally(() => {
    gone.abort();
    opened.reject(new AgentError("cancelled", "open streams: the client has gone away"));
  });
  const failed = (await Promise.allSettled([ran, served])).find((each) => each.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}

function wantedStreams({ stdin, stdout, stderr, tty }: ProcessRequest, version: number): Set<string> {
  const all: Record<StreamType, boolean> = { error: true, stdin, stdout, stderr, resize: tty && version >= FIRST_VERSION_WITH_RESIZE };
  return new Set(Object.entries(all).flatMap(([type, isWanted]) => (isWanted ? [type] : [])));
}

async function serve(
  streams: ReadonlyMap<string, SpdyStream>,
  version: number,
  request: ProcessRequest,
  gone: AbortSignal,
  session: SpdySession,
): Promise<void> {
  const [stdin, stdout, stderr] = [streams.get("stdin"), streams.get("stdout"), streams.get("stderr")];
  const sizes = new TerminalSizes();
  streams.get("resize")?.on("data", (piece: Buffer) => sizes.push(piece.toString()));
  // What the client says on streams that it reads is no business of ours, but must not fill them.
  for (const stream of [stdout, stderr, streams.get("error")]) stream?.resume();
  await serveProcess(request, {
    ...(stdin && { stdin }),
    ...(stdout && { stdout }),
    ...(stderr && { stderr }),
    sizes,
    gone,
    finish: async (outcome) => {
      streams.get("error")?.end(version >= FIRST_VERSION_WITH_OBJECT ? statusObject(outcome) : statusText(outcome));
      session.close();
    },
  });
}
