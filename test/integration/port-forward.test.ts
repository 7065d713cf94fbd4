// PortForward: connections to a pod's ports from where no route leads.
import test from "ava";
import { programMount } from "../lib/c-program.ts";
import type { Message } from "../lib/cri.ts";
import { TestNode } from "../lib/node.ts";
import { Pod } from "../lib/pods.ts";
import { forwardedPort } from "../lib/streams.ts";
import { shared } from "../lib/teardown.ts";

const node = shared(test, (t) => TestNode.start(t));
const program = shared(test, (t) => programMount(t, "tcp-echo.c"));

/** A pod that listens on port 8080 of its loopback. */
async function listeningPod(config: Message = {}): Promise<Pod> {
  const pod = await Pod.run(node(), config);
  const server = await pod.start("echo", ["/tcp-echo", "8080"], { mounts: [program()] });
  await server.logged(/listening/);
  return pod;
}

test("bytes go both ways, and each side's end is told to the other", async (t) => {
  const pod = await listeningPod();
  const { data, error } = await forwardedPort(t, pod, 8080);
  data.write("hello ");
  data.end();
  t.is(await data.ended, "hello end");
  t.is(await error.ended, "");
  await pod.remove();
});

test("megabytes come back as they went", async (t) => {
  const pod = await listeningPod();
  const { data } = await forwardedPort(t, pod, 8080);
  const sent = Buffer.alloc(8 * 1024 * 1024, "0123456789abcdef\n");
  data.write(sent);
  data.end();
  await data.ended;
  t.true(Buffer.concat(data.chunks).equals(Buffer.concat([sent, Buffer.from("end")])));
  await pod.remove();
});

test("a pod without any network is reached all the same", async (t) => {
  const pod = await listeningPod({ annotations: { "berth.io/network": "none" } });
  const { data } = await forwardedPort(t, pod, 8080);
  data.end();
  t.is(await data.ended, "end");
  await pod.remove();
});

test("a client that goes away ends its connections in the pod", async (t) => {
  const pod = await listeningPod();
  const { client, data } = await forwardedPort(t, pod, 8080);
  data.write("hello");
  await node().eventually("it answers", async () => (data.chunks.length > 0 ? true : undefined));
  client.socket.destroy();
  // It serves one connection after the other: the next is served when the first is over.
  const next = await forwardedPort(t, pod, 8080);
  next.data.end();
  t.is(await next.data.ended, "end");
  await pod.remove();
});

test("a port that nobody listens on is told as such", async (t) => {
  const pod = await Pod.run(node());
  const { error } = await forwardedPort(t, pod, 81);
  t.regex(await error.ended, /error forwarding port 81.*refused/);
  await pod.remove();
});

for (const [what, request, code] of [
  ["an unknown pod", { pod_sandbox_id: "0".repeat(64), port: [80] }, 5],
  ["a port that is none", { port: [0] }, 3],
  ["a port over 65535", { port: [65_536] }, 3],
] as const) {
  test(`${what} is refused`, async (t) => {
    const pod = await Pod.run(node());
    t.like(await t.throwsAsync(node().cri.call("PortForward", { pod_sandbox_id: pod.id, ...request })), { code });
    await pod.remove();
  });
}
