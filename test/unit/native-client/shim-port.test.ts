import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { duplexPair } from "node:stream";
import test, { type ExecutionContext } from "ava";
import { ShimResponse } from "../../../src/generated/berth/native/shim.ts";
import { encodeFrame } from "../../../src/native-client/frame.ts";
import { forwardPort } from "../../../src/native-client/shim-port.ts";

const answer = encodeFrame(ShimResponse.encode({ id: 1n, failure: undefined, result: { $case: "done", value: {} } }).finish());

/** A shim that does with each connection what the test says. */
async function shim(t: ExecutionContext, serve: (socket: Socket) => void): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "berth-shim-port-"));
  const path = join(folder, "sock");
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    socket.once("data", () => serve(socket));
  });
  server.listen(path);
  await once(server, "listening");
  t.teardown(() => {
    server.close();
    rmSync(folder, { recursive: true });
  });
  return path;
}

const never = new AbortController().signal;

test("a shim that ends before it has answered is told, not waited for", async (t) => {
  const path = await shim(t, (socket) => socket.destroy());
  const [data] = duplexPair();
  t.like(await t.throwsAsync(forwardPort(path, "shim", 80, data, never)), { kind: "unavailable" });
});

test("a client that goes away before the shim has answered ends the connection to it", async (t) => {
  const gone = new AbortController();
  const left = Promise.withResolvers<void>();
  const path = await shim(t, (socket) => {
    socket.once("close", () => left.resolve());
    socket.resume().once("end", () => socket.end());
    gone.abort();
  });
  const [data] = duplexPair();
  t.like(await t.throwsAsync(forwardPort(path, "shim", 80, data, gone.signal)), { kind: "cancelled" });
  await left.promise;
});

test("a pod that has said all and takes nothing more is no failure", async (t) => {
  const path = await shim(t, (socket) => {
    socket.write(answer);
    socket.end("all there is", () => socket.destroy());
  });
  const [data, client] = duplexPair();
  const forwarded = forwardPort(path, "shim", 80, data, never);
  let heard = "";
  for await (const chunk of client.setEncoding("utf8")) heard += chunk;
  t.is(heard, "all there is");
  client.on("error", () => {});
  client.end("too late");
  await t.notThrowsAsync(forwarded);
});
