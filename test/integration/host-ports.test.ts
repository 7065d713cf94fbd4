// Ports of the node that lead to a pod: on loopback, by the node's other addresses, from other hosts, and from pods.
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import test from "ava";
import { demoProgram } from "../lib/busybox-image.ts";
import { programMount } from "../lib/c-program.ts";
import { isRunning, kernelObjectsOf } from "../lib/kernel.ts";
import { TestNode } from "../lib/node.ts";
import { OtherHost, run } from "../lib/other-host.ts";
import { type Container, Pod } from "../lib/pods.ts";
import { shared } from "../lib/teardown.ts";

const NODE_ADDRESS = "192.0.2.1";

let other: OtherHost;

const node = shared(test, async (t) => {
  other = await OtherHost.start(t, [`${NODE_ADDRESS}/24`, "192.0.2.2/24"]);
  return await TestNode.start(t);
});

type Place = "node" | "remote";

const at = (place: Place, ...command: [string, ...string[]]): string => (place === "remote" ? other.run(...command) : run(...command));

/** What a web server says to somebody on the node, or on the other host. */
const fetched = (address: string, from: Place = "node"): string => at(from, demoProgram, "fetch", "--count", "1", `http://${address}/`);

const CONNECT = `const [host, port] = process.argv[1].split(":");
  const socket = require("node:net").connect({ host, port, timeout: 5000 }, () => process.exit(0));
  socket.on("error", (failure) => console.log(failure.code)).on("timeout", () => process.exit(1));`;

/** What a client is told that tries to connect; "" when it can. */
const refusal = (address: string, from: Place = "node"): string => at(from, process.execPath, "-e", CONNECT, address).trim();

/** Our table, as the kernel has it. */
const table = async (): Promise<string> => run("nft", "list", "table", "inet", `berth_${await node().instanceId()}`);

const port = (host_port: number, more: object = {}) => ({ protocol: "TCP", container_port: 8080, host_port, host_ip: "", ...more });

async function webPod(...port_mappings: object[]): Promise<Pod> {
  const pod = await Pod.run(node(), { port_mappings });
  const web = await pod.start("web", ["berth-demo", "serve", "--port", "8080"]);
  await web.logged(/listening/);
  return pod;
}

const details = async (pod: Pod) => JSON.parse((await pod.status()).info["info"] ?? "{}");

const podFolders = (): string[] => readdirSync(join(node().state, "pods"));

test("a port leads to the pod from everywhere, and nothing is left of it in the kernel", async (t) => {
  const instanceId = await node().instanceId();
  const before = kernelObjectsOf(node().folder, instanceId);
  const empty = await table();
  const pod = await webPod(port(18_080));
  for (const address of ["127.0.0.1", NODE_ADDRESS, "10.88.0.1"]) t.regex(fetched(`${address}:18080`), /hello from/, address);
  for (const address of [NODE_ADDRESS, "10.88.0.1"]) t.regex(fetched(`${address}:18080`, "remote"), /hello from/, address);
  const { ports, portProxyPid } = await details(pod);
  t.deepEqual(ports, [{ protocol: "tcp", hostIp: "", hostPort: 18_080, podPort: 8080 }]);
  await pod.stop();
  t.false(isRunning(portProxyPid));
  t.is(await table(), empty);
  for (const from of ["node", "remote"] as const) t.is(refusal(`${NODE_ADDRESS}:18080`, from), "ECONNREFUSED");
  await pod.remove();
  const left = () => kernelObjectsOf(node().folder, instanceId).filter((line) => !before.includes(line));
  await node().eventually(`nothing is left: ${left()}`, async () => (left().length === 0 ? true : undefined));
  t.deepEqual(kernelObjectsOf(node().folder, instanceId), before);
});

test("a port without a host port is one of the pod's address only", async (t) => {
  const empty = await table();
  const pod = await webPod(port(0));
  t.is(await table(), empty);
  t.is((await details(pod)).portProxyPid, undefined);
  t.regex(fetched(`${await pod.address()}:8080`), /hello from/);
  await pod.remove();
});

test("ports lead to their pods while berthd is away, and after it and its helper were killed or stopped", async (t) => {
  const empty = await table();
  const pod = await webPod(port(18_081));
  const full = await table();
  const answers = (when: string): void => {
    t.regex(fetched("127.0.0.1:18081"), /hello from/, when);
    t.regex(fetched(`${NODE_ADDRESS}:18081`, "remote"), /hello from/, when);
  };
  const helper = await node().helperPid();
  await node().crash();
  answers("berthd was killed");
  process.kill(helper, "SIGKILL");
  answers("its helper was killed");
  await node().boot();
  answers("berthd has come back");
  t.is(await table(), full);
  await node().shutdown();
  answers("berthd has ended");
  await node().boot();
  process.kill(await node().helperPid(), "SIGKILL");
  answers("the helper is started again");
  await node().eventually("the helper has come back", async () =>
    pod.remove().then(
      () => true,
      () => undefined,
    ),
  );
  t.is(await table(), empty);
  t.is(refusal("127.0.0.1:18081"), "ECONNREFUSED");
});

test("a pod reaches itself and others by an address of the node", async (t) => {
  const pod = await webPod(port(18_082));
  const other = await Pod.run(node());
  const clients = await Promise.all([pod, other].map((each) => each.start("client", ["sleep", "1000"])));
  for (const client of clients) {
    for (const address of [NODE_ADDRESS, "10.88.0.1"])
      t.regex(await client.output("berth-demo", "fetch", "--count", "1", `http://${address}:18082/`), /hello from/, address);
  }
  for (const each of [pod, other]) await each.remove();
});

test("a port of one address is not one of another, and several pods may have it", async (t) => {
  const [outer, inner] = [await webPod(port(18_083, { host_ip: NODE_ADDRESS })), await webPod(port(18_083, { host_ip: "127.0.0.1" }))];
  const [outerName, innerName] = [outer, inner].map(({ config }) => String((config["metadata"] as { name: string }).name));
  for (const from of ["node", "remote"] as const) t.true(fetched(`${NODE_ADDRESS}:18083`, from).includes(String(outerName)));
  t.true(fetched("127.0.0.1:18083").includes(String(innerName)));
  for (const address of ["10.88.0.1", "127.0.0.2"]) t.is(refusal(`${address}:18083`), "ECONNREFUSED", address);
  for (const pod of [outer, inner]) await pod.remove();
});

async function echoPod(t: Parameters<typeof programMount>[0], hostPort: number): Promise<Pod> {
  const pod = await Pod.run(node(), { port_mappings: [port(hostPort, { protocol: "UDP", container_port: 9000 })] });
  const echo: Container = await pod.start("echo", ["/udp-echo", "9000"], { mounts: [await programMount(t, "udp-echo.c")] });
  await echo.logged(/listening/);
  return pod;
}

/** What comes back of a datagram. */
async function echoed(socket: Socket, address: string, hostPort: number): Promise<string> {
  const answer = once(socket, "message", { signal: AbortSignal.timeout(5000) });
  socket.send("ping", hostPort, address);
  const [bytes] = await answer;
  return String(bytes);
}

test("datagrams go both ways", async (t) => {
  const pod = await echoPod(t, 18_084);
  const sockets = [createSocket("udp4"), createSocket("udp4")];
  for (const socket of sockets) {
    for (const address of ["127.0.0.1", NODE_ADDRESS]) t.is(await echoed(socket, address, 18_084), "ping", address);
  }
  for (const socket of sockets) socket.close();
  const script = `const socket = require("node:dgram").createSocket("udp4").on("message", (bytes) => { console.log(String(bytes)); socket.close(); });
    socket.send("ping", 18084, "${NODE_ADDRESS}");`;
  t.is(at("remote", process.execPath, "-e", script), "ping\n");
  await pod.remove();
});

test("a client that never stops sending reaches the pod that has the port now", async (t) => {
  const socket = createSocket("udp4");
  t.teardown(() => socket.close());
  socket.send("ping", 18_085, NODE_ADDRESS); // nobody is there, and the kernel remembers that
  for (const which of ["the first pod", "the second pod"]) {
    const pod = await echoPod(t, 18_085);
    t.is(await echoed(socket, NODE_ADDRESS, 18_085), "ping", which);
    await pod.remove();
  }
});

test("a port of SCTP leads to the pod by the table alone", async (t) => {
  const pod = await Pod.run(node(), { port_mappings: [port(18_086, { protocol: "SCTP", container_port: 9 })] });
  t.true((await table()).includes(`sctp . 18086 : ${await pod.address()} . 9`));
  t.is((await details(pod)).portProxyPid, undefined);
  await pod.remove();
});

test("a port that another pod has is refused with that pod's name, and nothing is left of the one that asked", async (t) => {
  const pod = await webPod(port(18_087));
  const before = await table();
  const failure = await t.throwsAsync(Pod.run(node(), { port_mappings: [port(18_088), port(18_087, { host_ip: NODE_ADDRESS })] }));
  t.like(failure, { code: status.ALREADY_EXISTS });
  t.true(failure?.message.includes(`test/${(pod.config["metadata"] as { name: string }).name} (${pod.id})`), failure?.message);
  t.is(await table(), before);
  t.deepEqual(podFolders(), [pod.id]);
  t.regex(fetched("127.0.0.1:18087"), /hello from/);
  await pod.remove();
  await (await webPod(port(18_088), port(18_087, { host_ip: NODE_ADDRESS }))).remove();
});

for (const address of ["127.0.0.1", NODE_ADDRESS, "0.0.0.0"]) {
  test(`a port that a program of the node listens on at ${address} is refused, and had when it is free`, async (t) => {
    const before = await table();
    const server = createServer().listen(0, address);
    await once(server, "listening");
    const { port: number } = server.address() as AddressInfo;
    const failure = await t.throwsAsync(Pod.run(node(), { port_mappings: [port(18_089), port(number)] }));
    t.like(failure, { code: status.FAILED_PRECONDITION });
    t.regex(String(failure?.message), new RegExp(`host port ${number} of tcp .*program of the node`));
    t.is(await table(), before);
    t.deepEqual(podFolders(), []);
    server.close();
    await once(server, "close");
    const pod = await webPod(port(18_089), port(number));
    t.regex(fetched(`127.0.0.1:${number}`), /hello from/);
    await pod.remove();
  });
}

test("a port of UDP that a program of the node has is refused", async (t) => {
  const socket = createSocket("udp4").bind(0, NODE_ADDRESS);
  await once(socket, "listening");
  const mapping = port(socket.address().port, { protocol: "UDP" });
  t.like(await t.throwsAsync(Pod.run(node(), { port_mappings: [mapping] })), { code: status.FAILED_PRECONDITION });
  socket.close();
});

test("a pod that does not start for another reason has its ports no longer", async (t) => {
  const before = await table();
  const refused = { port_mappings: [port(18_090)], linux: { sysctls: { "kernel.panic": "1" } } };
  await t.throwsAsync(Pod.run(node(), refused));
  t.is(await table(), before);
  await (await webPod(port(18_090))).remove();
});

test("a pod whose shim is killed has its ports no longer", async (t) => {
  const empty = await table();
  const pod = await webPod(port(18_091));
  process.kill((await details(pod)).shimPid, "SIGKILL");
  await node().eventually("its pod is not ready", async () =>
    (await pod.status()).status.state === "SANDBOX_NOTREADY" ? true : undefined,
  );
  t.is(await table(), empty);
  t.is(refusal("127.0.0.1:18091"), "ECONNREFUSED");
  const next = await webPod(port(18_091));
  t.regex(fetched("127.0.0.1:18091"), /hello from/);
  for (const each of [pod, next]) await each.remove();
});

test("when everything of the node and the pod was killed at once, the ports of both protocols are the next pod's", async (t) => {
  const empty = await table();
  const ports = [port(18_099), port(18_099, { protocol: "UDP", container_port: 9000 })];
  const pod = await webPod(...ports);
  const { shimPid, portProxyPid } = await details(pod);
  const helper = await node().helperPid();
  await node().crash();
  for (const pid of [helper, shimPid, portProxyPid]) process.kill(pid, "SIGKILL");
  await node().boot();
  await node().eventually("its pod is not ready", async () =>
    (await pod.status()).status.state === "SANDBOX_NOTREADY" ? true : undefined,
  );
  t.is(await table(), empty);
  const next = await webPod(...ports);
  for (const address of ["127.0.0.1", NODE_ADDRESS]) t.regex(fetched(`${address}:18099`), /hello from/, address);
  for (const each of [pod, next]) await each.remove();
  t.is(await table(), empty);
});

test("a port proxy ends with the shim, also when nobody is there to see it", async (t) => {
  const pod = await webPod(port(18_092));
  const { shimPid, portProxyPid } = await details(pod);
  await node().crash();
  process.kill(shimPid, "SIGKILL");
  await node().eventually("the proxy has ended", async () => (isRunning(portProxyPid) ? undefined : true));
  t.is(refusal("127.0.0.1:18092"), "ECONNREFUSED");
  await node().boot();
  await pod.remove();
});

test("a port proxy that ended alone is told of at the next start, and the pod goes on", async (t) => {
  const pod = await webPod(port(18_093));
  const { portProxyPid, warnings } = await details(pod);
  t.deepEqual(warnings, []);
  process.kill(portProxyPid, "SIGKILL");
  for (const _start of [1, 2]) {
    await node().shutdown();
    await node().boot();
    t.regex((await details(pod)).warnings.join("\n"), /^the port proxy has ended: [^\n]*$/);
  }
  t.regex(fetched(`${NODE_ADDRESS}:18093`, "remote"), /hello from/);
  await pod.remove();
});

test("a table that somebody took away is made again by the next pod, with the ports of all", async (t) => {
  const pod = await webPod(port(18_094));
  run("nft", "delete", "table", "inet", `berth_${await node().instanceId()}`);
  const other = await webPod(port(18_095));
  for (const number of [18_094, 18_095]) t.regex(fetched(`${NODE_ADDRESS}:${number}`, "remote"), /hello from/, String(number));
  run("nft", "delete", "table", "inet", `berth_${await node().instanceId()}`);
  for (const each of [pod, other]) await each.remove();
  await t.throwsAsync(table(), { message: /No such file/ }, "what is not there is not made only to be taken from");
  const last = await webPod(port(18_094));
  t.regex(fetched(`${NODE_ADDRESS}:18094`, "remote"), /hello from/);
  await last.remove();
});

test("pods that come and go at the same time are in no other's way", async (t) => {
  const empty = await table();
  for (const _round of [1, 2]) {
    const numbers = Array.from({ length: 8 }, (_, index) => 18_100 + index);
    const pods = await Promise.all(numbers.map((number) => webPod(port(number), port(number, { protocol: "UDP" }))));
    for (const number of numbers) t.regex(fetched(`127.0.0.1:${number}`), /hello from/);
    await Promise.all(pods.map((pod) => pod.remove()));
    t.is(await table(), empty);
  }
});

test("a pod that berthd did not see to its start leaves its ports to the next", async (t) => {
  const empty = await table();
  for (const afterMs of [2, 8, 16, 24, 40]) {
    const unheard = Pod.run(node(), { port_mappings: [port(18_096)] }).catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    await node().crash();
    await unheard;
    await node().boot();
    // Where it was ready by then it is a pod like any other.
    const { items } = await node().cri.call<{ items: readonly { id: string }[] }>("ListPodSandbox", {});
    for (const { id } of items) await node().cri.call("RemovePodSandbox", { pod_sandbox_id: id });
    t.is(await table(), empty, `${afterMs} ms`);
    const pod = await node().eventually("the port is free", async () => webPod(port(18_096)).catch(() => undefined));
    t.regex(fetched("127.0.0.1:18096"), /hello from/, `${afterMs} ms`);
    await pod.remove();
  }
});

test("a chain of somebody else that drops what is forwarded is told of, and stays", async (t) => {
  run("nft", "add", "table", "ip", "strict");
  t.teardown(() => void run("nft", "delete", "table", "ip", "strict"));
  run("nft", "add", "chain", "ip", "strict", "forward", "{ type filter hook forward priority 0; policy drop; }");
  const before = run("nft", "list", "table", "ip", "strict");
  await node().shutdown();
  await node().boot();
  t.regex(node().log, /chain forward of nftables table ip strict drops what none of its rules accepts/);
  t.is(run("nft", "list", "table", "ip", "strict"), before);
});

for (const [what, mapping, code] of [
  ["over 65535", port(70_000), status.INVALID_ARGUMENT],
  ["below 0", port(-1), status.INVALID_ARGUMENT],
  ["to no port of the pod", port(18_097, { container_port: 0 }), status.INVALID_ARGUMENT],
  ["of an address that is none", port(18_097, { host_ip: "one.two" }), status.INVALID_ARGUMENT],
  ["of an address of another host", port(18_097, { host_ip: "198.51.100.1" }), status.FAILED_PRECONDITION],
  ["of IPv6, where pods have none", port(18_097, { host_ip: "::1" }), status.FAILED_PRECONDITION],
] as const) {
  test(`a host port ${what} is refused`, async (t) => {
    t.like(await t.throwsAsync(Pod.run(node(), { port_mappings: [mapping] })), { code });
    t.deepEqual(podFolders(), []);
  });
}

test("a pod of the node's network needs no ports, and may name them", async (t) => {
  const linux = { security_context: { namespace_options: { network: "NODE", pid: "CONTAINER" } } };
  const pod = await Pod.run(node(), { port_mappings: [port(18_098, { container_port: 18_098 })], linux });
  const web = await pod.start("web", ["berth-demo", "serve", "--port", "18098"], { linux });
  await web.logged(/listening/);
  t.regex(fetched(`${NODE_ADDRESS}:18098`, "remote"), /hello from/);
  t.deepEqual((await details(pod)).ports, []);
  await pod.remove();
});
