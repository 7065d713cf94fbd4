import test from "ava";
import { toHostPorts } from "../../../../src/cri/convert/port-mappings.ts";
import { PortMapping, Protocol } from "../../../../src/generated/cri/runtime/v1/api.ts";

const mapping = (fields: Partial<PortMapping>): PortMapping => ({
  ...PortMapping.decode(new Uint8Array()),
  hostPort: 8080,
  containerPort: 80,
  ...fields,
});

const PORT = { protocol: "tcp", hostIp: "", hostPort: 8080, podPort: 80 };

test("a mapping is a port of every address unless it names one", (t) => {
  t.deepEqual(toHostPorts([mapping({})], "bridge"), [PORT]);
  t.deepEqual(toHostPorts([mapping({ hostIp: "0.0.0.0" })], "bridge"), [{ ...PORT, hostIp: "0.0.0.0" }]);
  t.deepEqual(toHostPorts([mapping({ hostIp: "0:0:0:0:0:0:0:1" })], "bridge"), [{ ...PORT, hostIp: "::1" }]);
  t.deepEqual(toHostPorts([mapping({ hostIp: "::ffff:192.0.2.1" })], "bridge"), [{ ...PORT, hostIp: "192.0.2.1" }]);
  t.deepEqual(toHostPorts([mapping({ hostIp: "192.0.2.1", protocol: Protocol.SCTP })], "bridge"), [
    { ...PORT, hostIp: "192.0.2.1", protocol: "sctp" },
  ]);
});

test("without a host port there is no mapping, and on the node's network none is needed", (t) => {
  t.deepEqual(toHostPorts([mapping({ hostPort: 0, containerPort: 0 })], "bridge"), []);
  t.deepEqual(toHostPorts([mapping({ containerPort: 8080, hostIp: "::1" })], "host"), []);
});

test("a pod that no packet comes to can have no port", (t) => {
  t.deepEqual(toHostPorts([mapping({ hostPort: 0 })], "closed"), []);
  t.like(
    t.throws(() => toHostPorts([mapping({})], "closed")),
    { kind: "invalid-argument" },
  );
});

test("what is asked for twice is had once, and for two purposes not at all", (t) => {
  t.deepEqual(toHostPorts([mapping({}), mapping({})], "bridge"), [PORT]);
  t.is(toHostPorts([mapping({}), mapping({ protocol: Protocol.UDP })], "bridge").length, 2);
  for (const other of [{ containerPort: 81 }, { hostIp: "127.0.0.1" }, { hostIp: "0.0.0.0", containerPort: 81 }]) {
    const failure = t.throws(() => toHostPorts([mapping({}), mapping(other)], "bridge"));
    t.like(failure, { kind: "invalid-argument" });
    t.regex(String(failure?.message), /tcp \*:8080/);
  }
});

for (const [what, fields, kind] of [
  ["below 0", { hostPort: -1 }, "invalid-argument"],
  ["over 65535", { hostPort: 65_536 }, "invalid-argument"],
  ["to no port of the pod", { containerPort: 0 }, "invalid-argument"],
  ["of an unknown protocol", { protocol: 9 as Protocol }, "invalid-argument"],
  ["of an address that is none", { hostIp: "1.2.3" }, "invalid-argument"],
  ["of an address in octal digits", { hostIp: "010.0.0.1" }, "invalid-argument"],
  ["of an address of one link", { hostIp: "fe80::1%eth0" }, "invalid-argument"],
] as const) {
  test(`a host port ${what} is refused`, (t) => {
    t.like(
      t.throws(() => toHostPorts([mapping(fields)], "bridge")),
      { kind },
    );
  });
}
