// One exec or attach, whatever carries it: runs the process on the client's streams, then says how it ended.
import type { Readable, Writable } from "node:stream";
import { finished } from "node:stream/promises";
import type { Outcome } from "./outcome.ts";
import type { ProcessRequest } from "./request.ts";
import type { TerminalSizes } from "./terminal-sizes.ts";

/** What the client has opened, as `request` asked for. */
export interface ClientStreams {
  readonly stdin?: Readable;
  readonly stdout?: Writable;
  readonly stderr?: Writable;
  readonly sizes: TerminalSizes;
  readonly gone: AbortSignal;
  /** Says how it ended when all output was taken, and ends the connection. */
  readonly finish: (outcome: Outcome) => Promise<void>;
}

export async function serveProcess(request: ProcessRequest, { sizes, finish, ...streams }: ClientStreams): Promise<void> {
  const outcome = await request.run({ ...streams, onResize: (listener) => sizes.onResize(listener) }).then(
    (exitCode): Outcome => ({ exitCode }),
    (failure: unknown): Outcome => ({ failure }),
  );
  for (const output of [streams.stdout, streams.stderr]) {
    if (output === undefined) continue;
    output.end();
    // Of a client that has gone away nothing is to be waited for.
    await finished(output, { readable: false, signal: streams.gone }).catch(() => {});
  }
  await finish(outcome);
}
