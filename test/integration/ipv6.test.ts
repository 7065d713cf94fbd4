// Pods with addresses of both families.
import { execFileSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { status } from "@grpc/grpc-js";
import test from "ava";
import { demoProgram } from "../lib/busybox-image.ts";
import { compiled, programMount } from "../lib/c-program.ts";
import { isRunning } from "../lib/kernel.ts";
import { TestNode } from "../lib/node.ts";
import { OtherHost, run } from "../lib/other-host.ts";
import { Pod } from "../lib/pods.ts";
import { shared } from "../lib/teardown.ts";

const NODE_ADDRESS = "2001:db8::1";
const OTHER_ADDRESS = "2001:db8::2";
const GATEWAY = "fd00:88::1";
const SUBNETS = ["--pod-subnet", "10.88.0.0/16,fd00:88::/64"];

let other: OtherHost;

const setting = (path: string): string => readFileSync(`/proc/sys/net/ipv6/conf/${path}`, "utf8").trim();

const node = shared(test, async (t) => {
  other = await OtherHost.start(t, [`${NODE_ADDRESS}/64`, `${OTHER_ADDRESS}/64`]);
  return await TestNode.start(t, { flags: SUBNETS });
});

const addressesOf = async (pod: Pod): Promise<string[]> => {
  const { network } = (await pod.status()).status;
  return [network.ip, ...network.additional_ips.map(({ ip }) => ip)];
};

async function webPod(...port_mappings: object[]): Promise<Pod> {
  const pod = await Pod.run(node(), { port_mappings });
  const web = await pod.start("web", ["berth-demo", "serve", "--port", "8080"]);
  await web.logged(/listening/);
  return pod;
}

const port = (host_port: number, more: object = {}) => ({ protocol: "TCP", container_port: 8080, host_port, host_ip: "", ...more });

const fetch = (address: string): string[] => [demoProgram, "fetch", "--count", "1", `http://${address}/`];

const fetched = (address: string, from: "node" | "other" = "node"): string => {
  const [program = "", ...words] = fetch(address);
  return from === "other" ? other.run(program, ...words) : run(program, ...words);
};

const refusal = (address: string, hostPort: number): string =>
  run(
    process.execPath,
    "-e",
    `require("node:net").connect({ host: "${address}", port: ${hostPort}, timeout: 5000 }, () => process.exit(0))
      .on("error", (failure) => console.log(failure.code)).on("timeout", () => process.exit(1));`,
  ).trim();

test("a pod has an address of each family, which can be used at once, and finds itself at both", async (t) => {
  const pod = await Pod.run(node(), { hostname: "web" });
  const container = await pod.start("one", ["ping6", "-c", "1", "-W", "5", GATEWAY]);
  t.is((await container.reached("CONTAINER_EXITED")).exit_code, 0, (await container.log()).join("\n"));
  const shell = await pod.start("two", ["sleep", "1000"]);
  const [v4 = "", v6 = ""] = await addressesOf(pod);
  t.regex(v4, /^10\.88\./);
  t.regex(v6, /^fd00:88::/);
  const addresses = await shell.output("ip", "-6", "addr", "show", "dev", "eth0");
  t.true(addresses.includes(`inet6 ${v6}/64 `), addresses);
  t.notRegex(addresses, /tentative/);
  t.regex(await shell.output("ip", "-6", "route"), /^default via fd00:88::1 dev eth0/m);
  const hosts = await shell.output("cat", "/etc/hosts");
  for (const address of [v4, v6]) t.true(hosts.split("\n").includes(`${address}\tweb`), hosts);
  for (const file of ["accept_ra", "autoconf"]) t.is(await shell.output("cat", `/proc/sys/net/ipv6/conf/eth0/${file}`), "0", file);
  await pod.stop();
  t.deepEqual(await addressesOf(pod), [""]);
  await pod.remove();
});

test("two pods reach each other, and a closed pod has ::1 alone", async (t) => {
  const [one, two] = [await webPod(), await Pod.run(node())];
  const client = await two.start("client", ["sleep", "1000"]);
  for (const address of await addressesOf(one)) {
    const host = address.includes(":") ? `[${address}]` : address;
    t.regex(await client.output("berth-demo", "fetch", "--count", "1", `http://${host}:8080/`), /hello from/, address);
  }
  const closed = await Pod.run(node(), { annotations: { "berth.io/network": "none" } });
  const alone = await closed.start("alone", ["sleep", "1000"]);
  t.deepEqual((await alone.output("ip", "-6", "-o", "addr")).match(/inet6 \S+/g), ["inet6 ::1/128"]);
  for (const pod of [one, two, closed]) await pod.remove();
});

test("a pod reaches other hosts under the node's address", async (t) => {
  const script = `require("node:http").createServer((request, answer) => answer.end("you are " + request.socket.remoteAddress + "\\n"))
    .listen(8080, "::", () => console.log("here"));`;
  await other.serve(t, script);
  const pod = await Pod.run(node());
  const client = await pod.start("client", ["sleep", "1000"]);
  const answer = await client.output("wget", "-q", "-O", "-", `http://[${OTHER_ADDRESS}]:8080/`);
  t.is(answer, `you are ${NODE_ADDRESS}`);
  await pod.remove();
});

test("a host port leads to the pod by both families, and from everywhere", async (t) => {
  const pod = await webPod(port(18_080));
  for (const address of ["127.0.0.1", "10.88.0.1", "[::1]", `[${NODE_ADDRESS}]`, `[${GATEWAY}]`])
    t.regex(fetched(`${address}:18080`), /hello from/, address);
  for (const address of [`[${NODE_ADDRESS}]`, `[${GATEWAY}]`]) t.regex(fetched(`${address}:18080`, "other"), /hello from/, address);
  const neighbour = await Pod.run(node());
  for (const each of [pod, neighbour]) {
    const client = await each.start("client", ["sleep", "1000"]);
    t.regex(await client.output("berth-demo", "fetch", "--count", "1", `http://[${NODE_ADDRESS}]:18080/`), /hello from/);
  }
  for (const each of [pod, neighbour]) await each.remove();
  for (const address of ["::1", NODE_ADDRESS]) t.is(refusal(address, 18_080), "ECONNREFUSED", address);
  t.notRegex(run("nft", "list", "table", "inet", `berth_${await node().instanceId()}`), /18080/);
});

test("a host port of one family or of one address is none of another", async (t) => {
  const [every, outer, inner] = [
    await webPod(port(18_081, { host_ip: "::" })),
    await webPod(port(18_082, { host_ip: NODE_ADDRESS })),
    await webPod(port(18_082, { host_ip: "0:0:0:0:0:0:0:1" })),
  ];
  for (const address of ["[::1]", `[${NODE_ADDRESS}]`]) t.regex(fetched(`${address}:18081`), /hello from/, address);
  t.is(refusal("127.0.0.1", 18_081), "ECONNREFUSED");
  const name = (pod: Pod): string => (pod.config["metadata"] as { name: string }).name;
  t.true(fetched(`[${NODE_ADDRESS}]:18082`, "other").includes(name(outer)));
  t.true(fetched("[::1]:18082").includes(name(inner)));
  t.is(refusal(GATEWAY, 18_082), "ECONNREFUSED");
  t.like(await t.throwsAsync(webPod(port(18_081))), { code: status.ALREADY_EXISTS });
  await (await webPod(port(18_081, { host_ip: "0.0.0.0" }))).remove();
  for (const pod of [every, outer, inner]) await pod.remove();
});

test("a port that a program of the node listens on by IPv6 is refused", async (t) => {
  for (const host of ["::1", NODE_ADDRESS, "::"]) {
    const server = createServer().listen({ port: 18_083, host, ipv6Only: true });
    await once(server, "listening");
    const failure = await t.throwsAsync(webPod(port(18_083)));
    t.like(failure, { code: status.FAILED_PRECONDITION }, host);
    t.regex(String(failure?.message), /host port 18083 of tcp at ::.*program of the node/, host);
    server.close();
    await once(server, "close");
  }
});

test("datagrams go both ways by IPv6, also after everything of the node was killed", async (t) => {
  const ports = [port(18_084, { protocol: "UDP", container_port: 9000 }), port(18_085)];
  const pod = await webPod(...ports);
  const echo = await pod.start("echo", ["/udp-echo", "9000"], { mounts: [await programMount(t, "udp-echo.c")] });
  await echo.logged(/listening/);
  const answers = async (when: string): Promise<void> => {
    for (const [family, address] of [
      ["udp6", "::1"],
      ["udp6", NODE_ADDRESS],
      ["udp4", "127.0.0.1"],
      ["udp4", "10.88.0.1"],
    ] as const) {
      const socket = createSocket(family);
      const answer = once(socket, "message", { signal: AbortSignal.timeout(5000) });
      socket.send("ping", 18_084, address);
      t.is(String((await answer)[0]), "ping", `${when}: ${address}`);
      socket.close();
    }
    for (const address of ["127.0.0.1", "[::1]", `[${NODE_ADDRESS}]`])
      t.regex(fetched(`${address}:18085`), /hello from/, `${when}: ${address}`);
  };
  await answers("at first");
  const helper = await node().helperPid();
  await node().crash();
  process.kill(helper, "SIGKILL");
  await node().eventually("the helper has ended", async () => (isRunning(helper) ? undefined : true));
  await answers("berthd and its helper were killed");
  await node().boot();
  await answers("berthd has come back");
  await pod.remove();
  t.is(refusal("::1", 18_085), "ECONNREFUSED");
});

test("the node forwards IPv6 while the network is there, listens to its router all the same, and is as before after it", async (t) => {
  t.is(setting("all/forwarding"), "1");
  t.is(setting("cable0/accept_ra"), "2");
  t.is(setting("berth0/accept_ra"), "0");
  await node().crash();
  await node().boot();
  await node().shutdown();
  for (const [path, value] of [
    ["all/forwarding", "0"],
    ["cable0/forwarding", "0"],
    ["cable0/accept_ra", "1"],
    ["default/accept_ra", "1"],
  ] as const)
    t.is(setting(path), value, path);
  await node().boot();
  t.is(setting("cable0/accept_ra"), "2");
});

test("a node that has its default route from a router keeps it when it begins to forward and when it ends", async (t) => {
  const routes = (): string => run("ip", "-6", "route", "show", "default");
  await node().shutdown();
  other.run(await compiled(t, "advertise-router.c"), "cable1");
  await node().eventually("the router is known", async () => (/via fe80::.* dev cable0 proto ra/.test(routes()) ? true : undefined));
  t.teardown(() => void run("ip", "-6", "route", "flush", "proto", "ra"));
  const before = routes().replace(/ expires \d+sec/, "");
  for (const step of ["boot", "shutdown", "boot"] as const) {
    await node()[step]();
    t.is(routes().replace(/ expires \d+sec/, ""), before, step);
  }
});

test("a subnet that the node has a route to is refused", async (t) => {
  const second = await TestNode.start(t, { withImage: false, flags: ["--bridge", "other0", "--pod-subnet", "10.99.0.0/16,2001:db8::/64"] });
  const failure = await t.throwsAsync(Pod.run(second));
  t.like(failure, { code: status.FAILED_PRECONDITION });
  t.regex(String(failure?.message), /subnet 2001:db8::\/64 .*route 2001:db8::\S* of cable0/);
});

test("pods of a node may have IPv6 alone", async (t) => {
  const second = await TestNode.start(t, { withImage: false, flags: ["--bridge", "other0", "--pod-subnet", "fd00:99::/64"] });
  const pod = await Pod.run(second, { port_mappings: [port(18_086)] });
  t.deepEqual(await addressesOf(pod), ["fd00:99::2"]);
  await pod.remove();
});

test("a kernel without IPv6 is told as such, and closed pods run", async (t) => {
  execFileSync("mount", ["-t", "tmpfs", "none", "/proc/sys/net/ipv6"]);
  t.teardown(() => void execFileSync("umount", ["/proc/sys/net/ipv6"]));
  const second = await TestNode.start(t, { withImage: false, flags: ["--bridge", "other0", "--pod-subnet", "10.99.0.0/16,fd00:99::/64"] });
  const failure = await t.throwsAsync(Pod.run(second));
  t.like(failure, { code: status.FAILED_PRECONDITION });
  t.regex(String(failure?.message), /the kernel is without IPv6/);
  await (await Pod.run(second, { annotations: { "berth.io/network": "none" } })).remove();
});
