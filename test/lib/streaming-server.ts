// A streaming server whose processes are functions of the test.
import type { ExecutionContext } from "ava";
import { silentLog } from "../../src/base/log.ts";
import type { ProcessIo } from "../../src/container/exec.ts";
import type { ProcessRequest } from "../../src/cri/streaming/request.ts";
import { StreamingServer } from "../../src/cri/streaming/streaming-server.ts";

export async function startStreaming(t: ExecutionContext, idleTimeoutMs = 0): Promise<StreamingServer> {
  const server = await StreamingServer.open({ address: "127.0.0.1", port: 0, idleTimeoutMs, log: silentLog });
  t.teardown(() => server.close());
  return server;
}

/** An exec with all streams and no terminal. */
export const execOf = (run: (io: ProcessIo) => Promise<number>, over: Partial<ProcessRequest> = {}): ProcessRequest => ({
  kind: "exec",
  tty: false,
  stdin: true,
  stdout: true,
  stderr: true,
  run,
  ...over,
});

/** Reads all of the input and says it again, as cat does. */
export async function cat({ stdin, stdout }: ProcessIo): Promise<number> {
  if (stdin !== undefined) for await (const chunk of stdin) stdout?.write(chunk);
  return 0;
}
