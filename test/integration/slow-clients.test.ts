// Clients that stop reading, and processes that do: what waits in berthd and shim is counted in bytes. It is what a writer has written,
// without what the kernel keeps in pipes and sockets, and without what was read.
import { readdirSync, readFileSync } from "node:fs";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import test, { type ExecutionContext } from "ava";
import { namespaceOf } from "../lib/kernel.ts";
import { TestNode } from "../lib/node.ts";
import { type Container, Pod } from "../lib/pods.ts";
import { isListening, tcpQueues, tcpReceived, unixQueue } from "../lib/socket-queues.ts";
import type { SpdyClientStream } from "../lib/spdy-client.ts";
import { attachStreams, execStreams, forwardedPort } from "../lib/streams.ts";
import { shared } from "../lib/teardown.ts";
import { upgradeToWebSocket } from "../lib/websocket-tunnel.ts";

const node = shared(test, (t) => TestNode.start(t));

const MOST_BYTES = 1024 * 1024;
const PIPE_BYTES = 64 * 1024;
const WRITE = ["dd", "if=/dev/zero", "bs=4096"];
const PORT = 8080;
// More than the kernel keeps of it.
const [PIECE, PIECES] = [Buffer.alloc(32 * 1024), 1024];
const ATTACHED_BYTES = 32 * 1024 * 1024;
const LOOKS = 3;

/** Waits until nothing moves. @param moved how much has gone so far @param waiting of that, somewhere else than in Berth */
async function heldBytes(moved: () => number, waiting: () => number): Promise<number> {
  let looks = 0;
  return await node().eventually("nothing moves", async () => {
    const before = moved();
    const bytes = before - waiting();
    looks = before > 0 && moved() === before ? looks + 1 : 0;
    return looks >= LOOKS ? bytes : undefined;
  });
}

function isWithinBound(t: ExecutionContext, what: string, bytes: number): void {
  t.log(what, bytes);
  // Less than nothing would be counted wrongly: frames' headers and a write that is under way make up some bytes.
  t.true(bytes > -PIPE_BYTES && bytes <= MOST_BYTES, `${what}: ${bytes} bytes`);
}

/** Of a process that writes on and on, to a client that reads nothing. @param url of the client's ticket @param more that waits */
const heldOutput = (writer: number, url: string, client: Duplex, more: () => number): Promise<number> =>
  heldBytes(
    () => Number(/wchar: (\d+)/.exec(readFileSync(`/proc/${writer}/io`, "utf8"))?.[1]),
    () => {
      const { server, client: his } = tcpQueues(portOf(url));
      return more() + unixQueue(node().pid) + server.unsent + his.unread + (client as Socket).bytesRead;
    },
  );

/** Of a client that writes on and on, to a process that reads nothing. */
async function heldInput(url: string, stream: SpdyClientStream, more: () => number): Promise<number> {
  for (let count = 0; count < PIECES; count++) stream.write(PIECE);
  return await heldBytes(
    () => tcpReceived(portOf(url)),
    () => tcpQueues(portOf(url)).server.unread + more(),
  );
}

test("a command's output that its client does not read waits in the kernel, and less than a megabyte of it in Berth", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sleep", "1000"]);
  const overSpdy = async () => {
    const { url, client } = await execStreams(t, container, WRITE, { stdin: false, reads: false });
    return { url, socket: client.socket };
  };
  const overWebSocket = async () => {
    const { url } = await node().cri.call<{ url: string }>("Exec", { container_id: container.id, cmd: WRITE, stdout: true });
    return { url, socket: (await upgradeToWebSocket(url, "v5.channel.k8s.io")).socket };
  };
  for (const [how, open] of Object.entries({ overSpdy, overWebSocket })) {
    const { url, socket } = await open();
    isWithinBound(t, how, await heldOutput(await processIn(container, "dd"), url, socket, () => PIPE_BYTES));
    socket.destroy();
    await node().eventually("the command is gone", async () => ((await container.output("ps")).includes("dd if") ? undefined : true));
  }
  await pod.remove();
});

test("input that a command does not read waits with its client, and less than a megabyte of it in Berth", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sleep", "1000"]);
  const { url, client, stdin } = await execStreams(t, container, ["sleep", "1001"]);
  const shim = await shimOf(pod);
  isWithinBound(t, "overSpdy", await heldInput(url, stdin, () => unixQueue(shim) + PIPE_BYTES));
  client.socket.destroy();
  await pod.remove();
});

test("a container waits for who is attached and reads nothing, at the cost of less than a megabyte, and goes on without him then", async (t) => {
  const pod = await Pod.run(node());
  const script = `read go; ${WRITE.join(" ")} count=${ATTACHED_BYTES / 4096} 2>/dev/null; exit 3`;
  const container = await pod.start("one", ["sh", "-c", script], { stdin: true });
  const { url, client, stdin, stdout, exitCode } = await attachStreams(t, container, { reads: false });
  stdin.write("go\n");
  isWithinBound(t, "overSpdy", await heldOutput(await processIn(container, "dd"), url, client.socket, () => PIPE_BYTES));
  t.is((await container.reached("CONTAINER_EXITED")).exit_code, 3);
  t.is(
    (await container.log()).reduce((bytes, line) => bytes + line.length - "stdout P ".length, 0),
    ATTACHED_BYTES,
  );
  // He can read what came before, and why that is all.
  void client.read();
  await t.throwsAsync(exitCode(), { message: /its reader has taken nothing for 10s/ });
  t.true((await stdout.ended).length < ATTACHED_BYTES);
  await pod.remove();
});

test("what a pod's port says to a client that reads nothing waits in the kernel, and less than a megabyte of it in Berth", async (t) => {
  const { pod, server, shim } = await podThatServes(WRITE);
  const { url, client } = await forwardedPort(t, pod, PORT, false);
  const waiting = (): number => {
    const { server, client } = tcpQueues(PORT, shim);
    return server.unsent + client.unread;
  };
  isWithinBound(t, "overSpdy", await heldOutput(await processIn(server, "dd"), url, client.socket, waiting));
  client.socket.destroy();
  await pod.remove();
});

test("what a client says to a pod's port that reads nothing waits with the client, and less than a megabyte of it in Berth", async (t) => {
  const { pod, shim } = await podThatServes(["sleep", "1001"]);
  const { url, client, data } = await forwardedPort(t, pod, PORT);
  const waiting = (): number => {
    const { server, client } = tcpQueues(PORT, shim);
    return unixQueue(shim) + client.unsent + server.unread;
  };
  isWithinBound(t, "overSpdy", await heldInput(url, data, waiting));
  client.socket.destroy();
  await pod.remove();
});

/** A pod that gives each connection to its port to a command of its own. */
async function podThatServes(command: readonly string[]): Promise<{ pod: Pod; server: Container; shim: number }> {
  const pod = await Pod.run(node());
  const server = await pod.start("server", ["nc", "-ll", "-p", String(PORT), "-e", ...command]);
  const shim = await shimOf(pod);
  await node().eventually("it listens", async () => isListening(PORT, shim) || undefined);
  return { pod, server, shim };
}

const portOf = (url: string): number => Number(new URL(url).port);

const shimOf = async (pod: Pod): Promise<number> => Number(JSON.parse((await pod.status()).info["info"] ?? "{}").shimPid);

/** The container's process with that name. */
async function processIn(container: Container, name: string): Promise<number> {
  const namespace = namespaceOf(await container.pid(), "pid");
  const isIt = (pid: string): boolean => {
    try {
      return readFileSync(`/proc/${pid}/comm`, "utf8").trim() === name && namespaceOf(Number(pid), "pid") === namespace;
    } catch {
      return false;
    }
  };
  const found = await node().eventually(`${name} runs`, async () => readdirSync("/proc").find((pid) => /^\d+$/.test(pid) && isIt(pid)));
  return Number(found);
}
