import test from "ava";
import type { Activity } from "../../../src/base/activity.ts";
import { message } from "../../../src/cli/message.ts";
import { ShimContainer } from "../../../src/generated/berth/native/shim.ts";
import { duration } from "../../../src/why/answer.ts";
import { explainActivities } from "../../../src/why/explain-activity.ts";
import { explainContainer } from "../../../src/why/explain-container.ts";
import { explainSandbox } from "../../../src/why/explain-sandbox.ts";
import { containerRecord, sandboxRecord } from "../../lib/records.ts";

const SECOND = 1_000_000_000n;
const NOW = 100n * SECOND;

const activity = (change: Partial<Activity>): Activity => ({
  call: "StartContainer",
  objectId: "c",
  parentId: "p",
  names: [],
  sinceNanos: 50n * SECOND,
  stage: "start",
  stageSinceNanos: 60n * SECOND,
  untilNanos: 0n,
  waitsForLock: false,
  ...change,
});
const answers = { containers: [], notes: [] };
const line = (all: readonly Activity[], shim?: ShimContainer, notes: readonly string[] = []) =>
  explainActivities(all, shim, notes, NOW)?.line;

test("the call that has the lock is told, and who waits for it", (t) => {
  const waiter = activity({ call: "StopContainer", sinceNanos: 97n * SECOND, waitsForLock: true });
  t.is(line([waiter, activity({})]), "StartContainer: waits for the OCI runtime, since 40 s; StopContainer waits for it since 3.0 s");
  t.is(line([]), undefined);
});

test("the shim says which step of the runtime it is, and since when", (t) => {
  const shim = message(ShimContainer, { waitsFor: "create", waitsSinceNanos: 88n * SECOND });
  t.is(line([activity({})], shim), "StartContainer: waits for the OCI runtime's create, since 12 s");
});

test("a signal is told with the time until the next", (t) => {
  const stop = { call: "StopContainer", stageSinceNanos: 92n * SECOND, untilNanos: 122n * SECOND };
  t.is(
    line([activity({ ...stop, stage: "signal 15" })]),
    "StopContainer: waits for the process to end: SIGTERM was sent, and SIGKILL follows in 22 s, since 8.0 s",
  );
  t.is(line([activity({ ...stop, stage: "signal 9" })]), "StopContainer: waits for the process to end: SIGKILL was sent, since 8.0 s");
});

test("a pull counts its layers, and notes come last", (t) => {
  const pull = activity({ call: "PullImage", stage: "layers 3/5" });
  t.is(
    line([pull], undefined, ["the helper is busy"]),
    "PullImage: waits for its layers: 3 of 5 are there, since 40 s; the helper is busy",
  );
});

test("a container without a call says how it is", (t) => {
  const told = (change: Parameters<typeof containerRecord>[0], shim?: ShimContainer, config = {}) =>
    explainContainer(containerRecord(change, config), shim, NOW).line;
  t.is(told({ state: "running", startedAtNanos: 40n * SECOND }), "nothing: running since 60 s");
  const blocked = message(ShimContainer, { logBlocked: true });
  t.regex(told({ state: "running", startedAtNanos: 40n * SECOND }, blocked), /^its writes: waits for room for its log/);
  const full = message(ShimContainer, { logBlocked: true, logFailure: "write log /l/1.log: no space" });
  t.regex(told({ state: "running", startedAtNanos: 40n * SECOND }, full), /, since 60 s; write log \/l\/1\.log: no space$/);
  const exited = { state: "exited", exitCode: 137, reason: "OOMKilled", finishedAtNanos: 90n * SECOND } as const;
  const limit = { resources: { oomScoreAdj: 0, unified: {}, memoryLimitBytes: 67_108_864n } };
  t.is(told(exited, undefined, limit), "nothing: exited with 137 (OOMKilled, limit 64.0 MiB), since 10 s");
  t.regex(told(exited, full), /, since 10 s; the end of its log is not written yet: write log \/l\/1\.log: no space$/);
  t.is(
    told({ ...exited, exitCode: 128, reason: "StartError", message: "no such file" }),
    "nothing: exited with 128 (StartError), since 10 s; no such file",
  );
});

test("a pod tells of its containers, of its network, and of rules in its way", (t) => {
  const sandbox = sandboxRecord({ createdAtNanos: 40n * SECOND });
  const network = { problem: "there is no nft", warnings: ["table filter has a chain that drops"] };
  t.is(
    explainSandbox(sandbox, [containerRecord()], answers, network, NOW).line,
    "nothing: ready since 60 s; containers: 1 created; the network is not ready: there is no nft; table filter has a chain that drops",
  );
  const host = sandboxRecord({ createdAtNanos: 40n * SECOND }, { network: "host" });
  t.is(explainSandbox(host, [], answers, network, NOW).line, "nothing: ready since 60 s; it has no container");
  t.is(
    explainSandbox(host, [], { containers: [], notes: ["its shim does not answer"] }, network, NOW).line,
    "nothing: ready since 60 s; it has no container; its shim does not answer",
  );
});

test("a pod names the containers that wait for room for their logs, and why", (t) => {
  const sandbox = sandboxRecord({ createdAtNanos: 40n * SECOND }, { network: "host" });
  const container = containerRecord();
  const told = (change: Partial<ShimContainer>) => {
    const shim = message(ShimContainer, { containerId: container.id, ...change });
    return explainSandbox(sandbox, [container], { containers: [shim], notes: [] }, { problem: undefined, warnings: [] }, NOW).line;
  };
  const blocked = `; ${container.config.name} waits for room for its log, which can't be written`;
  t.true(told({ logBlocked: true }).endsWith(blocked));
  t.true(told({ logBlocked: true, logFailure: "write log /l/1.log: no space" }).endsWith(`${blocked}: write log /l/1.log: no space`));
  t.true(told({}).endsWith("containers: 1 created"));
});

test("durations have about two digits", (t) => {
  t.deepEqual([400_000_000n, 9_900_000_000n, 45n * SECOND, 119n * SECOND, 120n * SECOND, 7200n * SECOND, 172_800n * SECOND].map(duration), [
    "0.4 s",
    "9.9 s",
    "45 s",
    "119 s",
    "2 min",
    "2 h",
    "2 d",
  ]);
});
