// Whose the bridge is, what of the node's own its addresses must not meet, its MTU, and what becomes of it when somebody changes it.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import test from "ava";
import { berthOf } from "../lib/berth.ts";
import { links } from "../lib/kernel.ts";
import { TestNode } from "../lib/node.ts";
import { run } from "../lib/other-host.ts";
import { Pod } from "../lib/pods.ts";
import { shared, type Teardown } from "../lib/teardown.ts";

const node = shared(test, (t) => TestNode.start(t));
const { berth } = berthOf(node);

interface Condition {
  readonly type: string;
  readonly status: boolean;
  readonly message: string;
}

/** Why the node has no network; "" when it has one. */
async function problemOf(of: TestNode): Promise<string> {
  const answer = await of.cri.call<{ status: { conditions: readonly Condition[] } }>("Status", {});
  return answer.status.conditions.find(({ type }) => type === "NetworkReady")?.message ?? "there is no such condition";
}

const without = (t: Teardown, ...flags: string[]): Promise<TestNode> => TestNode.start(t, { withImage: false, flags });

const closed = { annotations: { "berth.io/network": "none" } };

test("a bridge of another node is refused with that node's name, and goes on", async (t) => {
  const pod = await Pod.run(node());
  const before = run("ip", "-d", "-s", "link", "show", "berth0").split("\n")[0];
  const second = await without(t, "--pod-subnet", "10.99.0.0/16");
  t.regex(await problemOf(second), new RegExp(`bridge berth0: .*another Berth.*"berth:${await node().instanceId()}"; choose another name`));
  t.like(await t.throwsAsync(Pod.run(second)), { code: status.FAILED_PRECONDITION });
  await (await Pod.run(second, closed)).remove();
  await second.shutdown();
  t.is(run("ip", "-d", "-s", "link", "show", "berth0").split("\n")[0], before);
  t.regex(run("ip", "addr", "show", "dev", "berth0"), /inet 10\.88\.0\.1\/16/);
  t.notRegex(run("ip", "addr", "show", "dev", "berth0"), /10\.99/);
  await pod.remove();
});

test("a subnet of another node is refused, and two nodes with their own are in no other's way", async (t) => {
  const clashing = await without(t, "--bridge", "other0");
  t.regex(await problemOf(clashing), /subnet 10\.88\.0\.0\/16 .*route 10\.88\.0\.0\/16 of berth0; choose another subnet/);
  t.like(await t.throwsAsync(Pod.run(clashing)), { code: status.FAILED_PRECONDITION });
  t.false(links().includes("other0"));
  await clashing.shutdown();
  const second = await without(t, "--bridge", "other0", "--pod-subnet", "10.99.0.0/16");
  const pods = await Promise.all([Pod.run(node()), Pod.run(second)]);
  t.deepEqual(
    (await Promise.all(pods.map((pod) => pod.address()))).map((address) => address.slice(0, 6)),
    ["10.88.", "10.99."],
  );
  for (const pod of pods) await pod.remove();
});

for (const [what, make, told] of [
  ["no bridge", ["type", "veth", "peer", "name", "mine1"], /mine0: the link of that name is no bridge, and not ours/],
  ["a bridge of somebody else", ["type", "bridge"], /mine0: the link of that name is a bridge, and not ours/],
] as const) {
  test(`a link of the bridge's name that is ${what} is refused and stays, and the next pod has its network when it is gone`, async (t) => {
    run("ip", "link", "add", "name", "mine0", ...make);
    const second = await without(t, "--bridge", "mine0", "--pod-subnet", "10.99.0.0/16");
    t.regex(await problemOf(second), told);
    t.like(await t.throwsAsync(Pod.run(second)), { code: status.FAILED_PRECONDITION });
    await second.shutdown();
    t.true(links().includes("mine0"));
    await second.boot();
    run("ip", "link", "del", "mine0");
    await (await Pod.run(second)).remove();
    t.is(await problemOf(second), "");
  });
}

test("a route or an address of the node within the subnet is refused by name, and a wider route is told of", async (t) => {
  run("ip", "link", "add", "name", "mine0", "type", "veth", "peer", "name", "mine1");
  t.teardown(() => void run("ip", "link", "del", "mine0"));
  run("ip", "addr", "add", "198.51.100.1/24", "dev", "mine0");
  for (const end of ["mine0", "mine1"]) run("ip", "link", "set", end, "up");
  const second = await without(t, "--bridge", "other0", "--pod-subnet", "10.99.0.0/16");
  const refuses = async (told: RegExp): Promise<void> => {
    await second.shutdown();
    await second.boot();
    t.regex(await problemOf(second), told);
  };
  run("ip", "route", "add", "10.99.7.0/24", "via", "198.51.100.2");
  await refuses(/route 10\.99\.7\.0\/24 by 198\.51\.100\.2 of mine0/);
  run("ip", "route", "del", "10.99.7.0/24");
  run("ip", "addr", "add", "10.99.7.1/32", "dev", "mine0");
  await refuses(/route 10\.99\.7\.1\/32 of mine0/);
  run("ip", "addr", "del", "10.99.7.1/32", "dev", "mine0");
  run("ip", "route", "add", "10.0.0.0/8", "dev", "mine0");
  await refuses(/route 10\.0\.0\.0\/8 of mine0/);
  run("ip", "route", "del", "10.0.0.0/8", "dev", "mine0");
  run("ip", "route", "add", "10.0.0.0/8", "via", "198.51.100.2");
  run("ip", "route", "add", "unreachable", "10.96.0.0/12");
  t.teardown(() => void run("ip", "route", "del", "unreachable", "10.96.0.0/12"));
  await refuses(/^$/);
  t.regex(second.log, /the route 10\.0\.0\.0\/8 by 198\.51\.100\.2 of mine0 does not lead to 10\.99\.0\.0\/16 any more/);
});

test("our own bridge is taken over after a crash, also one that was not marked in time", async (t) => {
  const pod = await Pod.run(node());
  await node().crash();
  run("ip", "link", "set", "berth0", "alias", "");
  await node().boot();
  t.is(await problemOf(node()), "");
  t.regex(run("ip", "link", "show", "berth0"), new RegExp(`alias berth:${await node().instanceId()}$`, "m"));
  await pod.remove();
});

test("berth network tells what the pods have, of each kind", async (t) => {
  const pod = await Pod.run(node(), { port_mappings: [{ protocol: "UDP", container_port: 53, host_port: 18_071 }] });
  const alone = await Pod.run(node(), closed);
  const { stdout } = await berth("network", "inspect", "-o", "json");
  const [bridge, none, host] = JSON.parse(stdout);
  const address = await pod.address();
  t.like(bridge, { kind: "bridge", bridge: "berth0", mtu: 1500, problem: "", subnets: [{ gateway: "10.88.0.1", used: 1, free: 65_532 }] });
  t.deepEqual(bridge.endpoints, [
    {
      podSandboxId: pod.id,
      podName: (pod.config["metadata"] as { name: string }).name,
      podNamespace: "test",
      hostInterface: `veth${pod.id.slice(0, 11)}`,
      addresses: [address],
      ports: [{ protocol: "udp", hostIp: "", hostPort: 18_071, podPort: 53 }],
    },
  ]);
  t.deepEqual([none.kind, none.endpoints.map((each: { podSandboxId: string }) => each.podSandboxId)], ["closed", [alone.id]]);
  t.deepEqual([host.kind, host.endpoints], ["host", []]);
  t.regex(
    (await berth("network", "ls")).stdout,
    /^bridge {2,}bridge {2,}berth0 {2,}10\.88\.0\.0\/16 {2,}10\.88\.0\.1 {2,}1500 {2,}65532 {2,}1 /m,
  );
  for (const each of [pod, alone]) await each.remove();
});

const mtuOf = (link: string): number => Number(/ mtu (\d+) /.exec(run("ip", "link", "show", link))?.[1]);

test("the bridge and new pods have the MTU of the settings, also when it has changed; pods that run keep theirs", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "berth-config-"));
  t.teardown(() => rm(folder, { recursive: true }));
  const file = join(folder, "berth.toml");
  const set = (mtu: number): Promise<void> => writeFile(file, `bridge = "other0"\npod-subnet = "10.99.0.0/16"\nnetwork-mtu = ${mtu}\n`);
  await set(1400);
  const second = await without(t, "--config", file);
  const vethOf = (pod: Pod): string => `veth${pod.id.slice(0, 11)}`;
  const first = await Pod.run(second);
  t.deepEqual([mtuOf("other0"), mtuOf(vethOf(first))], [1400, 1400]);
  for (const [setting, mtu] of [
    [1450, 1450],
    [0, 1500],
  ] as const) {
    await set(setting);
    await second.shutdown();
    await second.boot();
    const pod = await Pod.run(second);
    t.deepEqual([mtuOf("other0"), mtuOf(vethOf(pod)), mtuOf(vethOf(first))], [mtu, mtu, 1400]);
    await pod.remove();
  }
});

test("what somebody takes from the network is named and made again, with the pods on it that run", async (t) => {
  const pod = await Pod.run(node(), { port_mappings: [{ protocol: "TCP", container_port: 8080, host_port: 18_070 }] });
  const web = await pod.start("web", ["berth-demo", "serve", "--port", "8080"]);
  await web.logged(/listening/);
  const veth = `veth${pod.id.slice(0, 11)}`;
  const instance = await node().instanceId();
  const table = `berth_${instance}`;
  for (const [command, object] of [
    ["ip link del berth0", "bridge berth0"],
    ["ip link set berth0 down", "bridge berth0"],
    ["ip link set berth0 mtu 1300", "bridge berth0"],
    ["ip addr flush dev berth0 scope global", "bridge berth0"],
    [`ip link set ${veth} nomaster`, veth],
    [`nft delete table inet ${table}`, `nftables table ${table}`],
    [`nft flush chain inet ${table} postrouting`, `nftables table ${table}`],
    ["sysctl -qw net.ipv4.ip_forward=0", "net/ipv4/ip_forward"],
  ] as const) {
    const [program, ...words] = command.split(" ");
    run(String(program), ...words);
    const { stdout } = await berth("audit", "-o", "json", "--repair");
    const named: { class: string; object: string; mended: boolean }[] = JSON.parse(stdout);
    t.deepEqual(
      named.map((each) => [each.class, each.object, each.mended]),
      [["network", object, true]],
      `${command}: ${stdout}`,
    );
    t.is((await berth("audit")).code, 0, command);
    t.regex(await web.output("ping", "-c", "1", "-W", "5", "10.88.0.1"), /1 packets received/, command);
    t.regex(run("nft", "list", "table", "inet", table), /tcp \. 18070 : /, command);
  }
  await pod.remove();
});
