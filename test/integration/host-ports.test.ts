// Ports of the node that lead to a pod: on loopback, from other hosts, and from the pods themselves.
import { execFileSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import { status } from "@grpc/grpc-js";
import test from "ava";
import { programMount } from "../lib/c-program.ts";
import { kernelObjectsOf } from "../lib/kernel.ts";
import { TestNode } from "../lib/node.ts";
import { Pod } from "../lib/pods.ts";
import { shared } from "../lib/teardown.ts";

const REMOTE = "berth-remote";
const NODE_ADDRESS = "192.0.2.1";

const node = shared(test, async (t) => {
  const ip = (...args: string[]): void => void execFileSync("ip", args);
  // Another host: a namespace of its own, with a cable to the node's.
  t.teardown(() => ip("netns", "del", REMOTE));
  ip("netns", "add", REMOTE);
  ip("link", "add", "cable0", "type", "veth", "peer", "name", "cable1", "netns", REMOTE);
  ip("addr", "add", `${NODE_ADDRESS}/24`, "dev", "cable0");
  ip("link", "set", "cable0", "up");
  ip("-n", REMOTE, "addr", "add", "192.0.2.2/24", "dev", "cable1");
  ip("-n", REMOTE, "link", "set", "cable1", "up");
  return await TestNode.start(t);
});

/** What a web server says to somebody on the node, or on the other host. */
function fetch(url: string, from: "node" | "remote" = "node"): string {
  const [program = "", ...args] = from === "remote" ? ["ip", "netns", "exec", REMOTE, demo()] : [demo()];
  return execFileSync(program, [...args, "fetch", "--count", "1", url], { encoding: "utf8", timeout: 20_000 });
}

const demo = (): string => new URL("../../native/target/x86_64-unknown-linux-gnu/release/berth-demo", import.meta.url).pathname;

const port = (host_port: number, more: object = {}) => ({ protocol: "TCP", container_port: 8080, host_port, host_ip: "", ...more });

async function webPod(...port_mappings: object[]): Promise<Pod> {
  const pod = await Pod.run(node(), { port_mappings });
  const web = await pod.start("web", ["berth-demo", "serve", "--port", "8080"]);
  await web.logged(/listening/);
  return pod;
}

test("a port leads to the pod from loopback, from the node's own address and from another host, and is gone with the pod", async (t) => {
  const before = kernelObjectsOf(node().folder, await node().instanceId());
  const pod = await webPod(port(18080));
  for (const address of ["127.0.0.1", NODE_ADDRESS]) t.regex(fetch(`http://${address}:18080/`), /hello from/, address);
  t.regex(fetch(`http://${NODE_ADDRESS}:18080/`, "remote"), /hello from/);
  await pod.stop();
  const table = execFileSync("nft", ["list", "ruleset"], { encoding: "utf8" });
  t.notRegex(table, /18080/);
  await pod.remove();
  const left = () => kernelObjectsOf(node().folder, "?").filter((line) => !before.includes(line) && !line.startsWith("cgroup"));
  await node().eventually(`nothing is left: ${left()}`, async () => (left().length === 0 ? true : undefined));
  t.deepEqual(left(), []);
});

test("ports lead to their pods after berthd and its helper were killed", async (t) => {
  const pod = await webPod(port(18081));
  await node().crash();
  t.regex(fetch("http://127.0.0.1:18081/"), /hello from/);
  t.regex(fetch(`http://${NODE_ADDRESS}:18081/`, "remote"), /hello from/);
  process.kill(await node().helperPid(), "SIGKILL");
  await node().boot();
  t.regex(fetch("http://127.0.0.1:18081/"), /hello from/);
  t.regex(fetch(`http://${NODE_ADDRESS}:18081/`, "remote"), /hello from/);
  await pod.remove();
});

test("a pod reaches itself and others by the node's address", async (t) => {
  const pod = await webPod(port(18082));
  const itself = await pod.start("client", ["sleep", "1000"]);
  const other = await Pod.run(node());
  const stranger = await other.start("client", ["sleep", "1000"]);
  for (const container of [itself, stranger]) {
    t.regex(await container.output("berth-demo", "fetch", "--count", "1", `http://${NODE_ADDRESS}:18082/`), /hello from/);
  }
  for (const each of [pod, other]) await each.remove();
});

test("a port of one address is not one of another", async (t) => {
  const pod = await webPod(port(18083, { host_ip: NODE_ADDRESS }));
  t.regex(fetch(`http://${NODE_ADDRESS}:18083/`, "remote"), /hello from/);
  const listening = execFileSync("ss", ["-ltnH"], { encoding: "utf8" });
  t.notRegex(listening, /127\.0\.0\.1:18083/);
  await pod.remove();
});

test("datagrams go both ways", async (t) => {
  const pod = await Pod.run(node(), { port_mappings: [port(18084, { protocol: "UDP", container_port: 9000 })] });
  const echo = await pod.start("echo", ["/udp-echo", "9000"], { mounts: [await programMount(t, "udp-echo.c")] });
  await echo.logged(/listening/);
  t.is(await ask("127.0.0.1", 18084), "ping");
  t.is(await ask(NODE_ADDRESS, 18084), "ping");
  const script = `import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(10); s.sendto(b"ping", ("${NODE_ADDRESS}", 18084)); print(s.recv(9).decode())`;
  t.is(execFileSync("ip", ["netns", "exec", REMOTE, "python3", "-c", script], { encoding: "utf8" }).trim(), "ping");
  await pod.remove();
});

/** What comes back of a datagram. */
function ask(address: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createSocket("udp4");
    socket.once("error", reject);
    socket.once("message", (bytes) => {
      socket.close();
      resolve(bytes.toString());
    });
    socket.send("ping", port, address);
  });
}

test("a port that another pod has is refused by its name, and nothing is left of the second pod", async (t) => {
  const pod = await webPod(port(18085));
  const failure = await t.throwsAsync(Pod.run(node(), { port_mappings: [port(18085, { host_ip: NODE_ADDRESS })] }));
  t.like(failure, { code: status.ALREADY_EXISTS });
  t.true(String(failure?.message).includes(pod.id));
  t.regex(fetch("http://127.0.0.1:18085/"), /hello from/);
  await pod.remove();
});

test("a port that a program of the node listens on is refused, and given free it is had", async (t) => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(18086, "127.0.0.1", resolve));
  const failure = await t.throwsAsync(Pod.run(node(), { port_mappings: [port(18086)] }));
  t.like(failure, { code: status.FAILED_PRECONDITION });
  t.regex(String(failure?.message), /18086/);
  await new Promise((resolve) => server.close(resolve));
  const pod = await webPod(port(18086));
  t.regex(fetch("http://127.0.0.1:18086/"), /hello from/);
  await pod.remove();
});

for (const [what, mapping, code] of [
  ["over 65535", port(70_000), status.INVALID_ARGUMENT],
  ["to no port of the pod", port(18087, { container_port: 0 }), status.INVALID_ARGUMENT],
  ["of an address that is none", port(18087, { host_ip: "one.two" }), status.INVALID_ARGUMENT],
  ["of IPv6", port(18087, { host_ip: "::1" }), status.UNIMPLEMENTED],
] as const) {
  test(`a host port ${what} is refused`, async (t) => {
    t.like(await t.throwsAsync(Pod.run(node(), { port_mappings: [mapping] })), { code });
  });
}
