import test from "ava";
import { AgentError, kindOf } from "../../../src/base/errors.ts";
import { asContainerId, asSandboxId } from "../../../src/base/ids.ts";
import { Stages } from "../../../src/base/timeline.ts";
import { checkPidTarget, pidNamespace } from "../../../src/container/pid-namespace.ts";
import type { ContainerRecord, ContainerSecurity } from "../../../src/container/records.ts";
import { buildSpec, type PidNamespace } from "../../../src/container/spec/build-spec.ts";
import { security } from "../../lib/container-security.ts";
import { image, node } from "../../lib/node-facts.ts";
import { containerRecord, sandboxRecord } from "../../lib/records.ts";

const TARGET = "d".repeat(64);
const podPid = (ensurePodPid: () => Promise<number>, records: readonly ContainerRecord[] = []) => ({
  records: { get: (id: string) => records.find((each) => each.id === id) },
  sandboxes: { shim: () => ({ ensurePodPid }) },
});
const noPod = () => Promise.reject(new Error("nobody asked for the pod's"));
const asking = (change: Partial<ContainerSecurity>): ContainerRecord => containerRecord({}, { security: security(change) });
const target = (change: Partial<ContainerRecord>): ContainerRecord =>
  containerRecord({ id: asContainerId(TARGET), state: "running", pid: 7, ...change });
const stages = (): Stages => new Stages({ nowNanos: () => 0n }, "container");

test("only a container that asks for the pod's namespace has it made", async (t) => {
  const context = podPid(noPod, [target({})]);
  t.is(await pidNamespace(context, asking({ pid: "container" }), sandboxRecord(), stages()), "own");
  t.is(await pidNamespace(context, asking({ pid: "node" }), sandboxRecord(), stages()), "node");
  t.deepEqual(await pidNamespace(context, asking({ pid: "target", pidTarget: TARGET }), sandboxRecord(), stages()), { of: 7 });
  t.deepEqual(
    await pidNamespace(
      podPid(async () => 42),
      asking({ pid: "pod" }),
      sandboxRecord(),
      stages(),
    ),
    { of: 42 },
  );
});

test("what a pod in the node's namespace shares is the node's", async (t) => {
  t.is(await pidNamespace(podPid(noPod), asking({ pid: "pod" }), sandboxRecord({}, { pid: "node" }), stages()), "node");
});

test("a shim that does not know the call is told of as too old", async (t) => {
  const old = podPid(() => Promise.reject(new AgentError("unimplemented", "read request: this shim does not know the call")));
  const failure = await t.throwsAsync(pidNamespace(old, asking({ pid: "pod" }), sandboxRecord(), stages()));
  t.is(kindOf(failure), "failed-precondition");
  t.regex(failure.message, /older build.*run the pod anew/);
});

for (const [what, other, kind] of [
  ["is not there", undefined, "invalid-argument"],
  ["is not made yet", target({ state: "planned" }), "invalid-argument"],
  ["is of another pod", target({ sandboxId: asSandboxId("b".repeat(64)) }), "invalid-argument"],
  ["was not started", target({ state: "created", pid: 0 }), "failed-precondition"],
  ["has exited", target({ state: "exited", pid: 0 }), "failed-precondition"],
] as const) {
  test(`a target that ${what} is refused`, (t) => {
    const context = podPid(noPod, other === undefined ? [] : [other]);
    t.is(kindOf(t.throws(() => checkPidTarget(context, asking({ pid: "target", pidTarget: TARGET })))), kind);
  });
}

test("a spec has the PID namespace that it was given", (t) => {
  const entries = (pid: PidNamespace) =>
    buildSpec(containerRecord(), sandboxRecord(), image, node, pid).spec.linux.namespaces.filter(({ type }) => type === "pid");
  t.deepEqual(entries("own"), [{ type: "pid" }]);
  t.deepEqual(entries("node"), []);
  t.deepEqual(entries({ of: 42 }), [{ type: "pid", path: "/proc/42/ns/pid" }]);
});
