import test from "ava";
import { FakeNode } from "./fake-node.ts";

test("networks are listed with their subnets and how many addresses are free", async (t) => {
  const node = await FakeNode.start(t);
  const { stdout } = await node.berth(["network", "ls"]);
  t.deepEqual(
    stdout.split("\n").map((line) => line.split(/ {2,}/)),
    [
      ["NAME", "KIND", "BRIDGE", "SUBNETS", "GATEWAYS", "MTU", "FREE", "PODS", "PROBLEM"],
      ["bridge", "bridge", "berth0", "10.88.0.0/16,fd00:88::/64", "10.88.0.1,fd00:88::1", "1500", "65532,18446744073709551613", "1", "-"],
      ["none", "closed", "-", "-", "-", "-", "-", "0", "-"],
      ["host", "host", "-", "-", "-", "-", "-", "0", "-"],
      [""],
    ],
  );
});

test("the pods of a network are listed with their addresses and host ports", async (t) => {
  const node = await FakeNode.start(t);
  const { stdout } = await node.berth(["network", "inspect", "bridge", "host"]);
  t.deepEqual(
    stdout.split("\n").map((line) => line.split(/ {2,}/)),
    [
      ["NETWORK", "POD", "NAMESPACE", "INTERFACE", "ADDRESSES", "PORTS"],
      ["bridge", "shop", "default", "vetha1", "10.88.0.2,fd00:88::2", "*:8080->80/tcp,[::1]:53->5353/udp"],
      [""],
    ],
  );
});

test("all that is known of a network comes as JSON and YAML", async (t) => {
  const node = await FakeNode.start(t);
  const { stdout } = await node.berth(["network", "inspect", "bridge", "-o", "json"]);
  const [network, ...others] = JSON.parse(stdout);
  t.is(others.length, 0);
  t.like(network, { name: "bridge", nftTable: "berth_1a2b3c4d", subnets: [{ free: 65_532 }, { free: "18446744073709551613" }] });
  t.is(network.endpoints[0].ports[1].hostIp, "::1");
  t.regex((await node.berth(["network", "ls", "none", "-o", "yaml"])).stdout, /^- name: none$/m);
});

test("a network that is not known, and another action, are bad usage", async (t) => {
  const node = await FakeNode.start(t);
  for (const words of [["inspect", "default"], ["rm", "bridge"], []])
    t.is((await node.berth(["network", ...words])).code, 2, words.join(" "));
});
