// What goes through a stream costs berthd no memory, however much it is.
import { readFileSync } from "node:fs";
import type { Duplex } from "node:stream";
import test from "ava";
import { TestNode } from "../lib/node.ts";
import { Pod } from "../lib/pods.ts";
import { isListening } from "../lib/socket-queues.ts";
import { execStreams, forwardedPort } from "../lib/streams.ts";
import { shared } from "../lib/teardown.ts";
import { upgradeToWebSocket } from "../lib/websocket-tunnel.ts";

const node = shared(test, (t) => TestNode.start(t));

const MIB = 1024 * 1024;
const BYTES = Number(process.env["STREAM_MIB"] ?? 128) * MIB;
const MOST_MORE_MIB = 30;
const LOOK_EVERY_BYTES = 4 * MIB;
const WRITE = ["head", "-c", String(BYTES), "/dev/zero"];
const PORT = 8080;

const pssMib = (): number => Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${node().pid}/smaps_rollup`, "utf8"))?.[1]) / 1024;

/** Reads all that is sent, and looks at berthd meanwhile. @returns the most memory that it had */
async function read(socket: Duplex): Promise<number> {
  let [bytes, lookAt, mostMib] = [0, 0, 0];
  await new Promise<void>((resolve) => {
    socket.once("close", resolve);
    socket.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes >= BYTES) resolve();
      if (bytes < lookAt) return;
      mostMib = Math.max(mostMib, pssMib());
      lookAt = bytes + LOOK_EVERY_BYTES;
    });
  });
  socket.destroy();
  return mostMib;
}

test("a hundred megabytes go through exec and port-forward, and berthd's memory stays as it was", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["nc", "-ll", "-p", String(PORT), "-e", ...WRITE]);
  const shim = Number(JSON.parse((await pod.status()).info["info"] ?? "{}").shimPid);
  await node().eventually("it listens", async () => isListening(PORT, shim) || undefined);
  const ways: Record<string, () => Promise<Duplex>> = {
    "exec over SPDY": async () => (await execStreams(t, container, WRITE, { stdin: false, reads: false })).client.socket,
    "exec over WebSocket": async () => {
      const { url } = await node().cri.call<{ url: string }>("Exec", { container_id: container.id, cmd: WRITE, stdout: true });
      return (await upgradeToWebSocket(url, "v5.channel.k8s.io")).socket;
    },
    "port-forward over SPDY": async () => (await forwardedPort(t, pod, PORT, false)).client.socket,
  };
  for (const [way, open] of Object.entries(ways)) {
    const beforeMib = pssMib();
    const startedAtMs = performance.now();
    const mostMib = await read(await open());
    const megabytesASecond = BYTES / 1000 / (performance.now() - startedAtMs);
    t.log(`${way}: ${megabytesASecond.toFixed(0)} MB/s, berthd ${beforeMib.toFixed(0)} MiB before, ${mostMib.toFixed(0)} MiB at most`);
    t.true(mostMib - beforeMib <= MOST_MORE_MIB, way);
  }
  await pod.remove();
});
