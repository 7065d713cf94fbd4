import { once } from "node:events";
import { connect } from "node:net";
import test, { type ExecutionContext } from "ava";
import { AgentError } from "../../../../src/base/errors.ts";
import type { TerminalSize } from "../../../../src/container/exec.ts";
import type { ProcessRequest } from "../../../../src/cri/streaming/request.ts";
import { SpdyClient, type SpdyClientStream, upgradeToSpdy } from "../../../lib/spdy-client.ts";
import { cat, execOf, startStreaming } from "../../../lib/streaming-server.ts";

const V4 = ["v4.channel.k8s.io"];

/** Opens the streams in the order of kubectl. */
async function open(t: ExecutionContext, request: ProcessRequest, protocols = V4, reads = true) {
  const server = await startStreaming(t);
  const client = await SpdyClient.connect(server.url(request), protocols, reads);
  t.teardown(() => client.socket.destroy());
  const streams: Record<string, SpdyClientStream> = {};
  const { stdin, stdout, stderr, tty: resize } = request;
  for (const [type, isWanted] of Object.entries({ error: true, stdin, stdout, stderr, resize })) {
    if (isWanted) streams[type] = await client.open({ streamType: type });
  }
  return { client, ...streams } as { client: SpdyClient } & Record<"error" | "stdin" | "stdout" | "stderr" | "resize", SpdyClientStream>;
}

test("a command reads the client's input to its half close, and its output comes whole before the connection ends", async (t) => {
  const { client, stdin, stdout, stderr, error } = await open(t, execOf(cat));
  stdin.write("one ");
  stdin.write("two");
  stdin.end();
  t.is(await stdout.ended, "one two");
  t.is(await stderr.ended, "");
  t.deepEqual(JSON.parse(await error.ended), { metadata: {}, status: "Success" });
  await client.closed;
});

test("both outputs come on their own streams", async (t) => {
  const run = async ({ stdout, stderr }: Parameters<ProcessRequest["run"]>[0]) => {
    stdout?.write("out");
    stderr?.write("err");
    return 0;
  };
  const { stdout, stderr } = await open(t, execOf(run, { stdin: false }));
  t.is(await stdout.ended, "out");
  t.is(await stderr.ended, "err");
});

test("an exit code is told as Kubernetes' clients read it", async (t) => {
  const { error } = await open(
    t,
    execOf(async () => 42),
  );
  t.deepEqual(JSON.parse(await error.ended), {
    metadata: {},
    status: "Failure",
    reason: "NonZeroExitCode",
    message: "command terminated with non-zero exit code: exit status 42",
    details: { causes: [{ reason: "ExitCode", message: "42" }] },
  });
});

test("a command that can't be run is told with its reason", async (t) => {
  const run = () => Promise.reject(new AgentError("not-found", "exec in container c: no such file"));
  const status = JSON.parse(await (await open(t, execOf(run))).error.ended);
  t.like(status, { status: "Failure", reason: "InternalError", code: 500 });
  t.regex(status.message, /exec in container c: no such file/);
});

test("before version 4 the error stream has a text, and nothing on success", async (t) => {
  t.is(
    await (
      await open(
        t,
        execOf(async () => 3),
        ["v3.channel.k8s.io"],
      )
    ).error.ended,
    "command terminated with non-zero exit code: exit status 3",
  );
  t.is(
    await (
      await open(
        t,
        execOf(async () => 0),
        ["channel.k8s.io"],
      )
    ).error.ended,
    "",
  );
});

test("the first protocol of the client that is known is taken", async (t) => {
  const { client } = await open(t, execOf(cat), ["v5.channel.k8s.io", ...V4, "v3.channel.k8s.io"]);
  t.is(client.protocol, "v4.channel.k8s.io");
});

test("sizes of the terminal reach the process, also one that came before it listened", async (t) => {
  const sizes: TerminalSize[] = [];
  const { stdin, resize, error } = await open(
    t,
    execOf(
      async ({ stdin: input, onResize }) => {
        if (input !== undefined) await once(input, "data");
        await new Promise<void>((resolve) => {
          onResize((size) => {
            sizes.push(size);
            if (size.width === 200) resolve();
          });
        });
        return 0;
      },
      { tty: true, stderr: false },
    ),
  );
  resize.write('{"Width":80,"Hei');
  resize.write('ght":24}nonsense}');
  stdin.write("go");
  resize.write('{"Width":200,"Height":50}');
  await error.ended;
  t.deepEqual(sizes.at(-1), { width: 200, height: 50 });
});

test("a ticket works once, and an unknown one not at all", async (t) => {
  const server = await startStreaming(t);
  const url = server.url(execOf(cat));
  const client = await SpdyClient.connect(url, V4);
  t.teardown(() => client.socket.destroy());
  t.like(await upgradeToSpdy(url, V4), { status: 404 });
  t.like(await upgradeToSpdy(url.replace(/[^/]+$/, "guess"), V4), { status: 404 });
  const other = server.url(execOf(cat));
  t.like(await upgradeToSpdy(other.replace("/exec/", "/attach/"), V4), { status: 404 });
});

test("a client without a protocol, or with unknown ones only, is refused", async (t) => {
  const server = await startStreaming(t);
  t.like(await upgradeToSpdy(server.url(execOf(cat)), []), { status: 400 });
  t.like(await upgradeToSpdy(server.url(execOf(cat)), ["v9.channel.k8s.io"]), { status: 403 });
  const plain = await fetch(server.url(execOf(cat)));
  t.is(plain.status, 400);
});

test("a ping is answered while a command runs", async (t) => {
  const { client, stdin, error } = await open(t, execOf(cat));
  client.ping(7);
  stdin.end();
  await error.ended;
  t.deepEqual(client.pings, [7]);
});

test("the process is told when its client has gone away", async (t) => {
  const started = Promise.withResolvers<AbortSignal>();
  const run = async ({ gone }: Parameters<ProcessRequest["run"]>[0]) => {
    started.resolve(gone);
    await once(gone, "abort");
    return 0;
  };
  const { client } = await open(t, execOf(run));
  const gone = await started.promise;
  client.socket.destroy();
  await (gone.aborted ? undefined : once(gone, "abort"));
  t.true(gone.aborted);
});

test("a process whose client reads nothing is held up, and takes no memory", async (t) => {
  const piece = Buffer.alloc(64 * 1024);
  const held = Promise.withResolvers<number>();
  let written = 0;
  const run = async ({ stdout, gone }: Parameters<ProcessRequest["run"]>[0]) => {
    while (stdout !== undefined && !gone.aborted) {
      written += piece.length;
      if (stdout.write(piece)) continue;
      const drained = once(stdout, "drain").catch(() => {});
      const still = setTimeout(() => held.resolve(stdout.writableLength), 200);
      await drained;
      clearTimeout(still);
    }
    return 0;
  };
  const { client } = await open(t, execOf(run, { stdin: false, stderr: false }), V4, false);
  const waiting = await held.promise;
  t.true(waiting <= 1024 * 1024, `${waiting} bytes wait`);
  t.true(written > 0);
  client.socket.destroy();
});

for (const [what, bytes] of [
  ["a frame of another version", Buffer.from([0x80, 2, 0, 1, 0, 0, 0, 0])],
  ["a control frame without end", Buffer.from([0x80, 3, 0, 1, 0, 0xff, 0xff, 0xff])],
  ["headers that are no zlib", Buffer.from([0x80, 3, 0, 1, 0, 0, 0, 12, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 9, 9])],
] as const) {
  test(`${what} ends the connection`, async (t) => {
    const server = await startStreaming(t);
    const client = await SpdyClient.connect(server.url(execOf(cat)), V4);
    client.socket.write(bytes);
    await client.closed;
    t.pass();
  });
}

test("a connection on which nothing happens for the idle timeout is ended, also one that a process has held up", async (t) => {
  let [begun, ended] = [0, 0];
  const run: ProcessRequest["run"] = async ({ gone }) => {
    begun++;
    await once(gone, "abort");
    ended++;
    return 0;
  };
  const server = await startStreaming(t, 1000);
  // On a busy machine even opening the streams may take too long: that ends the connection, too.
  while (begun === 0) {
    const client = await SpdyClient.connect(server.url(execOf(run, { stdout: false, stderr: false })), V4);
    await client.open({ streamType: "error" });
    const stdin = await client.open({ streamType: "stdin" });
    // More than anybody on the way keeps.
    stdin.write(Buffer.alloc(64 * 1024 * 1024));
    // What it had sent was not read: for the client this may be a reset.
    await client.closed.catch(() => {});
  }
  await new Promise(setImmediate);
  t.is(ended, begun);
});

test("a client that is refused and leaves its half of the connection open holds no descriptor", async (t) => {
  const server = await startStreaming(t);
  const { hostname, port } = new URL(server.url(execOf(cat)));
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  socket.write("POST /exec/unknown HTTP/1.1\r\nHost: node\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n");
  socket.resume();
  await once(socket, "end");
  await server.close();
  socket.destroy();
  t.pass();
});
