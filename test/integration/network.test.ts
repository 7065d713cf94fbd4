// The kinds of network that a pod may have.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import test from "ava";
import { links, namespaceOf } from "../lib/kernel.ts";
import { TestNode } from "../lib/node.ts";
import { Pod } from "../lib/pods.ts";
import { shared } from "../lib/teardown.ts";

const node = shared(test, (t) => TestNode.start(t));

test("a pod of the bridge has one interface with its address, and its gateway answers", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sleep", "1000"]);
  const address = await pod.address();
  t.deepEqual((await container.output("ls", "/sys/class/net")).split("\n").sort(), ["eth0", "lo"]);
  t.regex(await container.output("ip", "-4", "addr", "show", "dev", "eth0"), new RegExp(`inet ${address.replaceAll(".", "\\.")}/16 `));
  t.regex(await container.output("ip", "route"), /^default via 10\.88\.0\.1 dev eth0/m);
  t.regex(await container.output("ping", "-c", "1", "-W", "5", "10.88.0.1"), /1 packets received/);
  await pod.remove();
});

test("a closed pod sees only its loopback", async (t) => {
  const pod = await Pod.run(node(), { annotations: { "berth.io/network": "none" } });
  const container = await pod.start("one", ["sleep", "1000"]);
  t.is(await pod.address(), "");
  t.is(await container.output("ls", "/sys/class/net"), "lo");
  t.regex(await container.output("ping", "-c", "1", "-W", "5", "127.0.0.1"), /1 packets received/);
  await pod.remove();
});

test("a pod of the node's network sees the node's links and has its name", async (t) => {
  const linux = { security_context: { namespace_options: { network: "NODE", pid: "CONTAINER" } } };
  const pod = await Pod.run(node(), { linux });
  const container = await pod.start("one", ["sleep", "1000"], { linux });
  t.is(namespaceOf(await container.pid(), "net"), namespaceOf(process.pid, "net"));
  t.deepEqual((await container.output("ls", "/sys/class/net")).split("\n").sort(), links());
  t.is(await container.output("hostname"), hostname());
  await pod.remove();
});

test("an address is given back, and none is held by two pods", async (t) => {
  const pods = await Promise.all(Array.from({ length: 8 }, () => Pod.run(node())));
  const addresses = await Promise.all(pods.map((pod) => pod.address()));
  t.is(new Set(addresses).size, pods.length);
  await Promise.all(pods.map((pod) => pod.remove()));
  t.deepEqual(
    links().filter((name) => name.startsWith("veth")),
    [],
  );
});

test("ip_forward is on while the network is there, and as before when the node has gone", async (t) => {
  const forward = (): string => readFileSync("/proc/sys/net/ipv4/ip_forward", "utf8").trim();
  t.is(forward(), "1");
  await node().shutdown();
  t.is(forward(), "0");
  t.false(links().includes("berth0"));
  await node().boot();
  t.is(forward(), "1");
});

test("sysctls of the pod's own namespaces are set, and others refused", async (t) => {
  const pod = await Pod.run(node(), { linux: { sysctls: { "net.ipv4.ip_unprivileged_port_start": "80", "kernel.shm_rmid_forced": "1" } } });
  const container = await pod.start("one", ["sleep", "1000"]);
  t.is(await container.output("cat", "/proc/sys/net/ipv4/ip_unprivileged_port_start"), "80");
  t.is(await container.output("cat", "/proc/sys/kernel/shm_rmid_forced"), "1");
  await pod.remove();
  const failure = await t.throwsAsync(Pod.run(node(), { linux: { sysctls: { "kernel.panic": "1" } } }));
  t.like(failure, { code: 3 });
  t.regex(String(failure?.message), /kernel\.panic/);
});

test("a bridge that somebody took away is made again for the next pod", async (t) => {
  execFileSync("ip", ["link", "del", "berth0"]);
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sleep", "1000"]);
  t.regex(await container.output("ping", "-c", "1", "-W", "5", "10.88.0.1"), /1 packets received/);
  await pod.remove();
});
