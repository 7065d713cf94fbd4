import test from "ava";
import { type HostPortMapping, HostPorts } from "../../../src/network/host-ports.ts";

const port = (mapping: Partial<HostPortMapping>): HostPortMapping => ({
  protocol: "tcp",
  hostIp: "",
  hostPort: 8080,
  podPort: 80,
  ...mapping,
});

test("a port belongs to one pod, and to another when it was given back", (t) => {
  const ports = new HostPorts();
  ports.take("a", [port({})]);
  const failure = t.throws(() => ports.take("b", [port({})]));
  t.like(failure, { kind: "already-exists" });
  t.regex(String(failure?.message), /tcp \*:8080.*pod a/);
  ports.giveBack("a", [port({})]);
  t.notThrows(() => ports.take("b", [port({})]));
});

test("every address is also each one; two different ones are two ports, and so are two protocols", (t) => {
  const ports = new HostPorts();
  ports.take("a", [port({ hostIp: "10.0.0.1" })]);
  t.throws(() => ports.take("b", [port({})]));
  t.throws(() => ports.take("b", [port({ hostIp: "10.0.0.1" })]));
  t.notThrows(() => ports.take("b", [port({ hostIp: "10.0.0.2" }), port({ protocol: "udp" })]));
});

test("a pod that asks twice for a port is refused, and holds none", (t) => {
  const ports = new HostPorts();
  t.throws(() => ports.take("a", [port({ hostPort: 1 }), port({}), port({ podPort: 81 })]));
  t.notThrows(() => ports.take("b", [port({ hostPort: 1 }), port({})]));
});
