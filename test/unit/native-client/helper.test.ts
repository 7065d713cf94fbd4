import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { HelperClient } from "../../../src/native-client/helper.ts";

test("a helper that ends during a call is told as lost, also when the next call comes at once", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "berth-"));
  t.teardown(() => rm(folder, { recursive: true }));
  const socketPath = join(folder, "helper.sock");
  const server = createServer({ pauseOnConnect: true });
  server.listen(socketPath);
  await once(server, "listening");
  const accepted = once(server, "connection");

  let tellLost = (): void => {};
  const lost = new Promise<void>((resolve) => {
    tellLost = resolve;
  });
  const client = new HelperClient(socketPath, () => tellLost());
  const call = client.hello().catch(() => client.hello().catch(() => {}));
  const [socket] = (await accepted) as [Socket];
  server.close();
  await rm(socketPath, { force: true });
  // With the call unread, as a process that is killed leaves it: the other side gets ECONNRESET.
  socket.destroy();
  await Promise.all([call, lost]);
  t.pass();
});

test("a connection that we end ourselves is no loss", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "berth-"));
  t.teardown(() => rm(folder, { recursive: true }));
  const socketPath = join(folder, "helper.sock");
  const server = createServer().listen(socketPath);
  await once(server, "listening");
  const accepted = once(server, "connection");
  let losses = 0;
  const client = new HelperClient(socketPath, () => losses++);
  const call = client.hello().catch(() => {});
  const [socket] = (await accepted) as [Socket];
  await once(socket, "data");
  client.close();
  await call;
  await once(socket, "close");
  server.close();
  t.is(losses, 0);
});
