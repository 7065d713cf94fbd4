import test from "ava";
import { kindOf } from "../../../src/base/errors.ts";
import { processCapabilities, CAPABILITIES } from "../../../src/container/spec/capabilities.ts";
import { processArgs, processEnv, requestedUser } from "../../../src/container/spec/process.ts";
import { appliedResources, type NodeLimits, oomScoreAdj, ociResources } from "../../../src/container/spec/resources.ts";
import type { Resources } from "../../../src/sandbox/records.ts";
import { security } from "../../lib/container-security.ts";

const image = { entrypoint: ["/entry"], cmd: ["default"], env: ["PATH=/image", "A=1"], workingDir: "", user: "web" };
const all = new Set(CAPABILITIES);

test("a command replaces entrypoint and cmd, args replace cmd alone", (t) => {
  t.deepEqual(processArgs({ command: [], args: [] }, image), ["/entry", "default"]);
  t.deepEqual(processArgs({ command: [], args: ["x"] }, image), ["/entry", "x"]);
  t.deepEqual(processArgs({ command: ["/c"], args: [] }, image), ["/c"]);
  t.deepEqual(processArgs({ command: ["/c"], args: ["x"] }, image), ["/c", "x"]);
});

test("a container with no command at all is refused", (t) => {
  t.is(kindOf(t.throws(() => processArgs({ command: [], args: [] }, { entrypoint: [], cmd: [] }))), "invalid-argument");
});

test("the caller's variables win over the image's, in the image's place", (t) => {
  t.deepEqual(
    processEnv(
      {
        envs: [
          ["A", "2"],
          ["B", "x=y"],
        ],
      },
      image,
      { hostname: "pod", tty: false, home: "/home/one" },
    ),
    ["PATH=/image", "HOME=/home/one", "HOSTNAME=pod", "A=2", "B=x=y"],
  );
});

test("a home that the image or the caller names is theirs to name", (t) => {
  const of = (env: readonly string[], envs: readonly (readonly [string, string])[]) =>
    processEnv({ envs }, { env }, { hostname: "", tty: false, home: "/root" }).filter((entry) => entry.startsWith("HOME="));
  t.deepEqual(of(["HOME=/image"], []), ["HOME=/image"]);
  t.deepEqual(of(["HOME=/image"], [["HOME", ""]]), ["HOME="]);
});

test("a group without a user is refused", (t) => {
  t.is(kindOf(t.throws(() => requestedUser({ security: security({ runAsGroup: 5n }) }, image))), "invalid-argument");
});

test("a user id past 2^31 is refused, and never becomes root", (t) => {
  for (const runAsUser of [2n ** 31n, 2n ** 32n, -1n]) {
    t.is(kindOf(t.throws(() => requestedUser({ security: security({ runAsUser }) }, image))), "invalid-argument");
  }
});

test("no capability is inheritable unless it is ambient", (t) => {
  t.deepEqual(processCapabilities(security({ privileged: true }), all).inheritable, []);
  t.deepEqual(processCapabilities(security({ ambientCapabilities: ["NET_RAW"] }), all).inheritable, ["CAP_NET_RAW"]);
});

test("dropping ALL leaves what is added by name", (t) => {
  t.deepEqual(processCapabilities(security({ dropCapabilities: ["ALL"], addCapabilities: ["net_raw"] }), all).bounding, ["CAP_NET_RAW"]);
});

test("a capability that is added and dropped is dropped, an ambient one too", (t) => {
  const both = { addCapabilities: ["NET_ADMIN"], ambientCapabilities: ["NET_RAW"], dropCapabilities: ["NET_ADMIN", "NET_RAW"] };
  const { bounding, ambient, inheritable } = processCapabilities(security(both), all);
  t.false(bounding.includes("CAP_NET_ADMIN") || bounding.includes("CAP_NET_RAW"));
  t.deepEqual([ambient, inheritable], [[], []]);
});

test("a capability that does not exist is refused, one that the node lacks too", (t) => {
  t.is(kindOf(t.throws(() => processCapabilities(security({ addCapabilities: ["FLY"] }), all))), "invalid-argument");
  const without = new Set(CAPABILITIES.filter((name) => name !== "CAP_SYS_RESOURCE"));
  t.is(kindOf(t.throws(() => processCapabilities(security({ addCapabilities: ["SYS_RESOURCE"] }), without))), "failed-precondition");
});

const node: NodeLimits = {
  cgroupV2: false,
  swapAccounting: false,
  hugepages: false,
  ownOomScoreAdj: 0,
  mayLowerOomScore: false,
  defaultPidsLimit: 0,
};

test("limits of zero are no limits; unified pids.max is one", (t) => {
  const { resources } = ociResources({ memoryLimitBytes: 0n, cpuShares: 0n, oomScoreAdj: 0, unified: { "pids.max": "7" } }, false, node);
  t.deepEqual(resources, { devices: [{ allow: false, access: "rwm" }], pids: { limit: 7 } });
});

test("hugepages are limited where pods have the controller, and else asked for in vain", (t) => {
  const asked: Resources = { oomScoreAdj: 0, unified: {}, hugepageLimits: { "2MB": 4_194_304n, "1GB": 0n } };
  const limited = ociResources(asked, false, { ...node, hugepages: true });
  t.deepEqual(limited.resources.hugepageLimits, [
    { pageSize: "2MB", limit: 4_194_304 },
    { pageSize: "1GB", limit: 0 },
  ]);
  t.deepEqual(limited.warnings, []);
  const vain = ociResources(asked, false, node);
  t.is(vain.resources.hugepageLimits, undefined);
  t.deepEqual(vain.warnings, ["hugepage_limits 2MB: pods of this node have no hugetlb controller"]);
  t.deepEqual(ociResources({ ...asked, hugepageLimits: { "2MB": 0n } }, false, node).warnings, []);
  const path: Resources = { ...asked, hugepageLimits: { "../2MB": 1n } };
  t.is(kindOf(t.throws(() => ociResources(path, false, node))), "invalid-argument");
});

test("what was applied is what was asked for, without what the node warns of", (t) => {
  const asked: Resources = {
    memoryLimitBytes: 9n,
    memorySwapLimitBytes: 10n,
    oomScoreAdj: -5,
    hugepageLimits: { "2MB": 1n },
    unified: { "pids.max": "7", "memory.high": "8" },
  };
  t.deepEqual(appliedResources(asked, node), {
    memoryLimitBytes: 9n,
    oomScoreAdj: 0,
    hugepageLimits: {},
    unified: { "pids.max": "7" },
  });
  t.deepEqual(appliedResources(asked, { ...node, cgroupV2: true, swapAccounting: true, hugepages: true, mayLowerOomScore: true }), asked);
});

test("what the host refuses is left out and said", (t) => {
  const { resources, warnings } = ociResources({ memorySwapLimitBytes: 5n, oomScoreAdj: 0, unified: { "memory.high": "1" } }, false, node);
  t.is(resources.memory, undefined);
  t.is(warnings.length, 2);
  t.is(oomScoreAdj(-998, node, warnings), 0);
  t.is(warnings.length, 3);
});
