import test from "ava";
import { checkAll } from "../../../../src/cli/doctor/checks.ts";
import type { Facts, NodeSettings } from "../../../../src/cli/doctor/facts.ts";
import { FakeNode } from "../fake-node.ts";
import { goodFacts, goodMachine, goodSettings } from "../../../lib/good-machine.ts";

/** "check: verdict" of all that is not ok. */
const complaints = (facts: Partial<Facts>, settings: Partial<NodeSettings> = {}): string[] =>
  checkAll({ ...goodFacts, ...facts }, { ...goodSettings, ...settings })
    .filter(({ verdict }) => verdict !== "ok")
    .map(({ check, verdict }) => `${check}: ${verdict}`);

test("a good machine has no complaint, and each complaint says what to do", (t) => {
  t.deepEqual(complaints({}), []);
  const bad = checkAll({ ...goodFacts, uid: 1000, kernelRelease: "4.19.0", cgroupMode: "none", nowMs: 0 }, goodSettings);
  for (const { verdict, advice } of bad) t.is(verdict === "ok", advice === "");
});

test("a kernel is judged by its version", (t) => {
  t.deepEqual(complaints({ kernelRelease: "5.5.19" }), ["kernel: error"]);
  t.deepEqual(complaints({ kernelRelease: "5.10.0-30-amd64" }), ["kernel: warning"]);
  t.deepEqual(complaints({ kernelRelease: "5.14.0" }), []);
});

test("what a kernel lacks is an error where pods can't go without it", (t) => {
  t.deepEqual(complaints({ cgroupMode: "hybrid" }), ["cgroups: warning"]);
  t.deepEqual(complaints({ cgroupControllers: ["cpu", "pids"] }), ["cgroup controllers: error"]);
  t.deepEqual(complaints({ hasSeccomp: false, hasPressure: false, maxUserNamespaces: 0, fileSystems: [] }), [
    "overlayfs: warning",
    "seccomp: error",
    "pressure: warning",
    "user namespaces: warning",
  ]);
});

test("missing capabilities are told by name", (t) => {
  const without = (bit: number): bigint => goodFacts.capabilities & ~(1n << BigInt(bit));
  t.deepEqual(complaints({ capabilities: without(24) }), ["capability SYS_RESOURCE: warning"]);
  t.deepEqual(complaints({ capabilities: without(21) }), ["capabilities: error"]);
});

test("programs have to be there", (t) => {
  t.deepEqual(complaints({ nft: { name: "nft", path: undefined, version: "" } }), ["nftables: error"]);
  t.deepEqual(complaints({ nftProblem: "Operation not permitted" }), ["nftables: error"]);
  t.deepEqual(complaints({ runtimes: [] }), ["OCI runtime: error"]);
  const own = goodFacts.runtimes.filter(({ name }) => name === "direct");
  t.deepEqual(complaints({ runtimes: own }), ["OCI runtime: error"]);
  t.deepEqual(complaints({ runtimes: own }, { runtime: "direct" }), []);
  t.deepEqual(complaints({}, { runtime: "/opt/other" }), ["OCI runtime: error"]);
  t.deepEqual(complaints({ missingPrograms: ["berth-shim"] }), ["programs of Berth: warning"]);
});

test("CRIU has to be there, and to work, where checkpoints are wanted", (t) => {
  const missing = { criu: { name: "criu", path: undefined, version: "" } };
  t.deepEqual(complaints({}, { checkpoints: true }), []);
  t.deepEqual(complaints(missing), []);
  t.deepEqual(complaints(missing, { checkpoints: true }), ["CRIU: warning"]);
  t.deepEqual(complaints({ criuProblem: "Error (criu/cr-check.c): no" }, { checkpoints: true }), ["CRIU: warning"]);
});

test("folders need room, a good file system and a short path", (t) => {
  const root = { ...goodFacts.root, freeBytes: 1e6 };
  t.deepEqual(complaints({ root }), ["root /var/lib/berth: error"]);
  t.deepEqual(complaints({ root: { ...root, freeBytes: 1e9 } }), ["root /var/lib/berth: warning"]);
  t.deepEqual(complaints({ root: { ...goodFacts.root, type: "overlay" } }), ["file system of root: error"]);
  t.deepEqual(complaints({ root: { ...goodFacts.root, freeInodes: 10 } }), ["root /var/lib/berth: warning"]);
  t.deepEqual(complaints({}, { state: `/${"x".repeat(80)}`, root: "/a:b" }).slice(0, 2), ["path of state: error", "path of root: error"]);
});

test("a subnet that something else has is an error, that of its own bridge is not", (t) => {
  const route = (network: number, mask: number) => ({ routes: [{ interfaceName: "docker0", network, mask }] });
  t.deepEqual(complaints(route(0x0a000000, 0xff000000)), ["pod-subnet: error"]);
  t.deepEqual(complaints(route(0x0a580500, 0xffffff00)), ["pod-subnet: error"]);
  t.deepEqual(complaints(route(0x0a590000, 0xffff0000)), []);
  t.deepEqual(complaints({}, { podSubnet: "nonsense" }), ["pod-subnet: error"]);
});

test("other nodes, swap, mounts and the time are looked at", (t) => {
  const found = complaints({ somebodyListens: true, hasSwap: true, rootIsShared: false, nowMs: 0 });
  t.deepEqual(found, ["another berthd: warning", "mount propagation: warning", "swap: warning", "time: error"]);
  t.deepEqual(complaints({ linkNames: ["berth0"] }), ["bridge: warning"]);
});

test("berth doctor ends with 1 for errors only, and tells of settings that can't be read", async (t) => {
  const node = await FakeNode.start(t);
  const good = await node.berth(["doctor"]);
  t.is(good.code, 0);
  t.regex(good.stdout, /^kernel +ok +6\.1\.0-25-amd64$/m);
  node.machine = { ...goodMachine, readFacts: () => Promise.resolve({ ...goodFacts, hasSwap: true }) };
  t.is((await node.berth(["doctor"])).code, 0);
  node.machine = { ...goodMachine, readFacts: () => Promise.resolve({ ...goodFacts, uid: 1 }) };
  const bad = await node.berth(["doctor", "-o", "json"]);
  t.is(bad.code, 1);
  t.like(JSON.parse(bad.stdout)[0], { check: "user", verdict: "error" });
  const nodeSettings = (): never => {
    throw new Error("there is no setting");
  };
  node.machine = { ...goodMachine, nodeSettings };
  const unread = await node.berth(["doctor", "--config", "/x"]);
  t.is(unread.code, 1);
  t.regex(unread.stdout, /^settings +error +there is no setting/m);
});
