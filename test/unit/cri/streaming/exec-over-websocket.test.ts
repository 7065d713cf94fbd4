import { once } from "node:events";
import test, { type ExecutionContext } from "ava";
import type { TerminalSize } from "../../../../src/container/exec.ts";
import type { ProcessRequest } from "../../../../src/cri/streaming/request.ts";
import { ChannelClient } from "../../../lib/channel-client.ts";
import { cat, execOf, startStreaming } from "../../../lib/streaming-server.ts";

const [STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE] = [0, 1, 2, 3, 4, 255];
const V5 = ["v5.channel.k8s.io"];

async function connect(t: ExecutionContext, request: ProcessRequest, protocols = V5): Promise<ChannelClient> {
  const client = await ChannelClient.connect((await startStreaming(t)).url(request), protocols);
  t.teardown(() => client.socket.terminate());
  return client;
}

test("version 5 closes the input alone, and the output comes whole before the connection ends in order", async (t) => {
  const client = await connect(t, execOf(cat));
  client.send(STDIN, "one ");
  client.send(STDIN, "two");
  client.send(CLOSE, Buffer.of(STDIN));
  t.is(await client.closed, 1000);
  t.is(client.received(STDOUT), "one two");
  t.deepEqual(JSON.parse(client.received(ERROR)), { metadata: {}, status: "Success" });
});

test("both outputs have their channels, and the exit code is told", async (t) => {
  const run: ProcessRequest["run"] = async ({ stdout, stderr }) => {
    stdout?.write("out");
    stderr?.write("err");
    return 7;
  };
  const client = await connect(t, execOf(run));
  await client.closed;
  t.is(client.received(STDOUT), "out");
  t.is(client.received(STDERR), "err");
  t.like(JSON.parse(client.received(ERROR)), { reason: "NonZeroExitCode", details: { causes: [{ reason: "ExitCode", message: "7" }] } });
});

for (const protocol of ["v4.base64.channel.k8s.io", "base64.channel.k8s.io", "channel.k8s.io"]) {
  test(`${protocol} carries the same bytes`, async (t) => {
    const run: ProcessRequest["run"] = async ({ stdin, stdout }) => {
      const [first] = stdin === undefined ? [] : await once(stdin, "data");
      stdout?.write(first);
      return 0;
    };
    const client = await connect(t, execOf(run), [protocol]);
    client.send(STDIN, Buffer.from([0, 255, 10, 128]).toString("latin1"));
    await client.closed;
    t.is(client.received(STDOUT), Buffer.from([0, 255, 10, 128]).toString("latin1"));
    t.is(client.received(ERROR), protocol.startsWith("v4") ? '{"metadata":{},"status":"Success"}' : "");
  });
}

test("a client that names no protocol speaks binary channels", async (t) => {
  const client = await connect(
    t,
    execOf(async () => 3, { stdin: false }),
    [],
  );
  await client.closed;
  t.is(client.received(ERROR), "command terminated with non-zero exit code: exit status 3");
});

test("a client with unknown protocols only is refused", async (t) => {
  await t.throwsAsync(connect(t, execOf(cat), ["v9.channel.k8s.io"]), { message: /403/ });
});

test("sizes of the terminal reach the process", async (t) => {
  const seen: TerminalSize[] = [];
  const run: ProcessRequest["run"] = ({ onResize }) =>
    new Promise((resolve) => {
      onResize((size) => {
        seen.push(size);
        resolve(0);
      });
    });
  const client = await connect(t, execOf(run, { tty: true, stderr: false }));
  client.send(RESIZE, '{"Width":100,"Height":30}');
  await client.closed;
  t.deepEqual(seen, [{ width: 100, height: 30 }]);
});

test("the process is told when its client has gone away, and its input ends", async (t) => {
  const started = Promise.withResolvers<AbortSignal>();
  const run: ProcessRequest["run"] = async ({ gone }) => {
    started.resolve(gone);
    await once(gone, "abort");
    return 0;
  };
  const client = await connect(t, execOf(run));
  const gone = await started.promise;
  client.socket.terminate();
  if (!gone.aborted) await once(gone, "abort");
  t.true(gone.aborted);
});

test("input that the process does not read is not read from the client either", async (t) => {
  const started = Promise.withResolvers<void>();
  const finish = Promise.withResolvers<void>();
  let waiting = 0;
  const run: ProcessRequest["run"] = async ({ stdin }) => {
    started.resolve();
    await finish.promise;
    waiting = stdin?.readableLength ?? 0;
    return 0;
  };
  const client = await connect(t, execOf(run));
  await started.promise;
  const piece = Buffer.alloc(64 * 1024);
  // More than the kernel holds for us on both sides.
  for (let sent = 0; sent < 64 * 1024 * 1024; sent += piece.length) client.send(STDIN, piece);
  // What the kernel did not take is still here when it has had its time.
  await new Promise((resolve) => setTimeout(resolve, 300));
  t.true(client.socket.bufferedAmount > 0);
  finish.resolve();
  await client.closed;
  t.true(waiting < 1024 * 1024, `${waiting} bytes wait`);
});

test("a message over the bound ends its own connection and process alone", async (t) => {
  const started = Promise.withResolvers<AbortSignal>();
  const run: ProcessRequest["run"] = async ({ gone }) => {
    started.resolve(gone);
    await once(gone, "abort");
    return 0;
  };
  const server = await startStreaming(t);
  const [client, other] = [
    await ChannelClient.connect(server.url(execOf(run)), V5),
    await ChannelClient.connect(server.url(execOf(cat)), V5),
  ];
  const gone = await started.promise;
  client.send(STDIN, Buffer.alloc(1024 * 1024));
  t.is(await client.closed, 1009);
  if (!gone.aborted) await once(gone, "abort");
  other.send(STDIN, "still there");
  other.send(CLOSE, Buffer.of(STDIN));
  await other.closed;
  t.is(other.received(STDOUT), "still there");
});

test("a connection on which nothing happens for the idle timeout is ended, with its process", async (t) => {
  const ended = Promise.withResolvers<void>();
  const run: ProcessRequest["run"] = async ({ gone }) => {
    await once(gone, "abort");
    ended.resolve();
    return 0;
  };
  const client = await ChannelClient.connect((await startStreaming(t, 300)).url(execOf(run)), V5);
  await ended.promise;
  t.is(await client.closed, 1006);
});
