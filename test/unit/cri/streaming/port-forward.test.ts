import { once } from "node:events";
import type { Duplex } from "node:stream";
import test, { type ExecutionContext } from "ava";
import type { PortForwardRequest } from "../../../../src/cri/streaming/request.ts";
import { ChannelClient } from "../../../lib/channel-client.ts";
import { SpdyClient } from "../../../lib/spdy-client.ts";
import { startStreaming } from "../../../lib/streaming-server.ts";
import { openTunnel } from "../../../lib/websocket-tunnel.ts";

/** A port that says its number, then all it hears. */
async function echo(port: number, data: Duplex): Promise<void> {
  data.write(`${port}:`);
  for await (const chunk of data) data.write(chunk);
}

const forward = (run: PortForwardRequest["run"] = echo, ports: number[] = []): PortForwardRequest => ({ kind: "portforward", ports, run });

async function overSpdy(t: ExecutionContext, request: PortForwardRequest): Promise<SpdyClient> {
  const client = await SpdyClient.connect((await startStreaming(t)).url(request), ["portforward.k8s.io"]);
  t.teardown(() => client.socket.destroy());
  return client;
}

async function pair(client: SpdyClient, port: string, requestID: string) {
  const error = await client.open({ streamType: "error", port, requestID });
  error.end();
  return { error, data: await client.open({ streamType: "data", port, requestID }) };
}

test("connections to several ports go on side by side", async (t) => {
  const client = await overSpdy(t, forward());
  const [one, two] = [await pair(client, "80", "0"), await pair(client, "81", "1")];
  two.data.write("world");
  one.data.write("hello");
  one.data.end();
  t.is(await one.data.ended, "80:hello");
  t.is(await one.error.ended, "");
  two.data.end();
  t.is(await two.data.ended, "81:world");
});

test("a port that nobody listens on is told on its error stream, and others go on", async (t) => {
  const run = (port: number, data: Duplex) => (port === 80 ? echo(port, data) : Promise.reject(new Error("connection refused")));
  const client = await overSpdy(t, forward(run));
  const [one, two] = [await pair(client, "80", "0"), await pair(client, "81", "1")];
  t.is(await two.error.ended, "error forwarding port 81: connection refused");
  await two.data.ended;
  t.true(two.data.wasReset);
  one.data.end();
  t.is(await one.data.ended, "80:");
});

test("a client that resets a stream before the other one of its pair may begin anew at once", async (t) => {
  const client = await overSpdy(t, forward());
  const given = await client.open({ streamType: "error", port: "80", requestID: "0" });
  given.reset();
  const { data } = await pair(client, "80", "0");
  data.end();
  t.is(await data.ended, "80:");
});

test("what is no port is refused", async (t) => {
  const client = await overSpdy(t, forward());
  for (const port of ["0", "65536", "http", "-1"]) {
    const { error } = await pair(client, port, port);
    t.regex(await error.ended, /is none/);
  }
});

test("a whole SPDY connection goes through a WebSocket", async (t) => {
  const url = (await startStreaming(t)).url(forward());
  const { stream, protocol } = await openTunnel(url, "SPDY/3.1+portforward.k8s.io");
  t.is(protocol, "SPDY/3.1+portforward.k8s.io");
  const client = SpdyClient.over(stream);
  t.teardown(() => void client.socket.end());
  const { data } = await pair(client, "80", "0");
  data.write("hello");
  data.end();
  t.is(await data.ended, "80:hello");
});

test("older clients have two channels for each port of the ticket, which begin with its number", async (t) => {
  const url = (await startStreaming(t)).url(forward(echo, [80, 81]));
  const client = await ChannelClient.connect(url, ["v4.channel.k8s.io"]);
  t.teardown(() => client.socket.terminate());
  const heard = Promise.withResolvers<void>();
  client.socket.on("message", () => client.received(2).endsWith("hello") && heard.resolve());
  client.send(2, "hello");
  await heard.promise;
  t.is(client.received(2), "Q\0" + "81:hello");
  t.is(client.received(3), "Q\0");
  t.is(client.received(0), "P\0" + "80:");
});

test("a client that resets a connection it is done with hears of no error", async (t) => {
  const client = await overSpdy(
    t,
    forward(async (_, data) => {
      data.end("all there is");
      for await (const chunk of data) t.fail(`nothing is sent, but ${chunk} came`);
    }),
  );
  const { data, error } = await pair(client, "80", "0");
  t.is(await data.ended, "all there is");
  data.reset();
  t.is(await error.ended, "");
});

test("connections whose error streams the client never closes do not add up", async (t) => {
  const client = await overSpdy(t, forward());
  // Each has two streams, of which a session has 2048 at most.
  for (let index = 0; index < 2100; index++) {
    await client.open({ streamType: "error", port: "80", requestID: String(index) });
    const data = await client.open({ streamType: "data", port: "80", requestID: String(index) });
    data.end();
    if ((await data.ended) !== "80:") return t.fail(`connection ${index} was refused`);
  }
  t.pass();
});

test("what older clients send to a port that nobody listens on holds up no other", async (t) => {
  const run = (port: number, data: Duplex) => (port === 81 ? echo(port, data) : Promise.reject(new Error("connection refused")));
  const client = await ChannelClient.connect((await startStreaming(t)).url(forward(run, [80, 81])), ["v4.channel.k8s.io"]);
  t.teardown(() => client.socket.terminate());
  const heard = Promise.withResolvers<void>();
  client.socket.on("message", () => client.received(2).endsWith("hello") && heard.resolve());
  for (let sent = 0; sent < 4; sent++) client.send(0, Buffer.alloc(256 * 1024));
  client.send(2, "hello");
  await heard.promise;
  t.regex(client.received(1), /connection refused/);
});

test("a port that is not read holds up what else is on its connection, and takes no memory", async (t) => {
  const stalled = Promise.withResolvers<Duplex>();
  const run = async (port: number, data: Duplex, gone: AbortSignal) => {
    if (port === 80) stalled.resolve(data);
    else data.resume();
    if (!gone.aborted) await once(gone, "abort");
  };
  const client = await ChannelClient.connect((await startStreaming(t)).url(forward(run, [80, 81])), ["v4.channel.k8s.io"]);
  t.teardown(() => client.socket.terminate());
  const data = await stalled.promise;
  for (let sent = 0; sent < 200; sent++) {
    client.send(0, Buffer.alloc(256 * 1024));
    client.send(2, Buffer.alloc(256 * 1024));
  }
  // What the kernel did not take is still here when it has had its time.
  await new Promise((resolve) => setTimeout(resolve, 300));
  t.true(client.socket.bufferedAmount > 0);
  t.true(data.readableLength < 4 * 1024 * 1024, `${data.readableLength} bytes wait`);
});
