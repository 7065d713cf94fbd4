// The kinds of network that a pod may have.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { status } from "@grpc/grpc-js";
import { hostname } from "node:os";
import test from "ava";
import { bootId } from "../../src/cmd/node-facts.ts";
import { links, namespaceOf } from "../lib/kernel.ts";
import { TestNode } from "../lib/node.ts";
import { run } from "../lib/other-host.ts";
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

test("two pods of the bridge reach each other", async (t) => {
  const [one, two] = await Promise.all([Pod.run(node()), Pod.run(node())]);
  const web = await one.start("web", ["berth-demo", "serve", "--port", "8080"]);
  await web.logged(/listening/);
  const client = await two.start("client", ["sleep", "1000"]);
  t.regex(await client.output("berth-demo", "fetch", "--count", "1", `http://${await one.address()}:8080/`), /hello from/);
  for (const pod of [one, two]) await pod.remove();
});

test("a port that two programs of a pod want is told by the second of them, and two pods may have it", async (t) => {
  const [pod, other] = await Promise.all([Pod.run(node()), Pod.run(node())]);
  const serve = ["berth-demo", "serve", "--port", "8080"];
  const [first, elsewhere] = [await pod.start("first", serve), await other.start("elsewhere", serve)];
  for (const web of [first, elsewhere]) await web.logged(/listening/);
  const second = await pod.start("second", serve);
  t.not((await second.reached("CONTAINER_EXITED")).exit_code, 0);
  t.regex((await second.log()).join("\n"), /listen on port 8080: .*in use/);
  for (const each of [pod, other]) await each.remove();
});

test("a pod of a node without addresses of IPv6 has the kernel's own, at once, and listens to no router", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sleep", "1000"]);
  const addresses = await container.output("ip", "-6", "addr", "show", "dev", "eth0");
  t.regex(addresses, /inet6 fe80::/);
  t.notRegex(addresses, /tentative|scope global/);
  for (const file of ["accept_ra", "autoconf"]) t.is(await container.output("cat", `/proc/sys/net/ipv6/conf/eth0/${file}`), "0", file);
  t.is(readFileSync("/proc/sys/net/ipv6/conf/berth0/accept_ra", "utf8").trim(), "0", "nor does the node to a pod");
  t.is(readFileSync("/proc/sys/net/ipv6/conf/all/forwarding", "utf8").trim(), "0");
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

test("a pod too many is refused with subnet and number, and after a reboot addresses are free again", async (t) => {
  const small = await TestNode.start(t, { withImage: false, flags: ["--bridge", "small0", "--pod-subnet", "10.99.0.0/30"] });
  const pod = await Pod.run(small);
  const failure = await t.throwsAsync(Pod.run(small));
  t.like(failure, { code: status.RESOURCE_EXHAUSTED });
  t.regex(String(failure?.message), /all 1 addresses of 10\.99\.0\.0\/30 are in use/);
  const shimPid = Number(JSON.parse((await pod.status()).info["info"] ?? "{}").shimPid);
  await small.shutdown();
  // As a reboot leaves it: nothing in the kernel, and records of another boot.
  process.kill(shimPid, "SIGKILL");
  run("ip", "link", "del", "small0");
  const database = new DatabaseSync(join(small.root, "records.db"));
  database.prepare("UPDATE records SET body = replace(body, ?, 'another-boot') WHERE kind IN ('sandbox', 'network')").run(bootId());
  database.close();
  await small.boot();
  t.is((await pod.status()).status.state, "SANDBOX_NOTREADY");
  const next = await Pod.run(small);
  t.is(await next.address(), "10.99.0.2");
  for (const each of [pod, next]) await each.remove();
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
  run("ip", "link", "del", "berth0");
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sleep", "1000"]);
  t.regex(await container.output("ping", "-c", "1", "-W", "5", "10.88.0.1"), /1 packets received/);
  await pod.remove();
});
