import test from "ava";
import { type HostPortMapping, HostPorts } from "../../../src/network/host-ports.ts";

const port = (mapping: Partial<HostPortMapping>): HostPortMapping => ({
  protocol: "tcp",
  hostIp: "",
  hostPort: 8080,
  podPort: 80,
  ...mapping,
});

const podName = (id: string): string => `test/${id}`;

function take(ports: HostPorts, id: string, ...mappings: readonly Partial<HostPortMapping>[]): void {
  ports.take(id, mappings.map(port), podName);
}

test("a port belongs to one pod, which is named, and to another when it was given back", (t) => {
  const ports = new HostPorts();
  take(ports, "a", {});
  const failure = t.throws(() => take(ports, "b", {}));
  t.like(failure, { kind: "already-exists" });
  t.regex(String(failure?.message), /tcp \*:8080: pod test\/a has it/);
  ports.giveBack("a", [port({})]);
  t.notThrows(() => take(ports, "b", {}));
});

test("every address is also each one; two different ones are two ports, and so are two protocols", (t) => {
  const ports = new HostPorts();
  take(ports, "a", { hostIp: "10.0.0.1" });
  t.throws(() => take(ports, "b", {}));
  t.throws(() => take(ports, "b", { hostIp: "10.0.0.1" }));
  t.notThrows(() => take(ports, "b", { hostIp: "10.0.0.2" }, { protocol: "udp" }));
  t.throws(() => take(ports, "c", {}));
});

test("every address of one family is none of the other", (t) => {
  const ports = new HostPorts();
  take(ports, "a", { hostIp: "0.0.0.0" });
  t.notThrows(() => take(ports, "b", { hostIp: "::1" }));
  t.throws(() => take(ports, "c", { hostIp: "192.0.2.1" }));
  t.throws(() => take(ports, "c", { hostIp: "::" }));
  t.throws(() => take(ports, "c", {}));
});

test("a pod that is refused one port has none of the others", (t) => {
  const ports = new HostPorts();
  take(ports, "a", {});
  t.throws(() => take(ports, "b", { hostPort: 1 }, {}));
  t.notThrows(() => take(ports, "c", { hostPort: 1 }));
});

test("a pod gives back what is its own", (t) => {
  const ports = new HostPorts();
  take(ports, "a", { hostIp: "10.0.0.1" });
  take(ports, "b", { hostIp: "10.0.0.2" });
  ports.giveBack("a", [port({ hostIp: "10.0.0.1" })]);
  ports.giveBack("a", [port({ hostIp: "10.0.0.1" })]);
  t.throws(() => take(ports, "c", {}));
  ports.giveBack("b", [port({ hostIp: "10.0.0.2" })]);
  t.notThrows(() => take(ports, "c", {}));
});

test("what pods have on record is held without asking", (t) => {
  const ports = new HostPorts();
  ports.hold("a", [port({}), port({ protocol: "sctp", hostPort: 9 })]);
  t.throws(() => take(ports, "b", { protocol: "sctp", hostPort: 9, hostIp: "10.0.0.1" }));
});
