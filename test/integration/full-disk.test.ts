// A full disk: what is there can be stopped and removed, nothing new is begun, and no exit code is lost.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import test, { type ExecutionContext } from "ava";
import { berthOf } from "../lib/berth.ts";
import { kernelObjectsOf } from "../lib/kernel.ts";
import { TestNode } from "../lib/node.ts";
import { type Container, Pod } from "../lib/pods.ts";
import { SmallDisk } from "../lib/small-disk.ts";
import { shared } from "../lib/teardown.ts";

const ROOT_MEBIBYTES = 64;
// With what stands before each in a log they are more than a mebibyte, and more than a container may be ahead of its log.
const LINES = 50_000;

interface Place {
  readonly disk: SmallDisk;
  readonly state: SmallDisk;
  readonly node: TestNode;
}

const place = shared<Place>(test, async (t) => {
  const disk = SmallDisk.ext4(t, ROOT_MEBIBYTES);
  const state = SmallDisk.tmpfs(t, 8);
  return { disk, state, node: await TestNode.start(t, { root: disk.path, state: state.path }) };
});
const disk = (): SmallDisk => place().disk;
const state = (): SmallDisk => place().state;
const node = (): TestNode => place().node;
const { berth } = berthOf(node);

test.afterEach.always(() => {
  disk().free();
  state().free();
});

/** All that a refused call could have left. */
async function leftovers() {
  const list = async (call: string): Promise<unknown> => await node().cri.call(call, {});
  const folders = ["containers", "content/ingest"].map((name) => join(node().root, name));
  return {
    pods: await list("ListPodSandbox"),
    containers: await list("ListContainers"),
    images: await list("ListImages"),
    files: [...folders, join(node().state, "pods")].map((folder) => readdirSync(folder)),
    kernel: kernelObjectsOf(node().state, await node().instanceId()),
  };
}

interface Condition {
  readonly type: string;
  readonly status: boolean;
  readonly message: string;
}

const condition = async (type: string): Promise<Condition | undefined> => {
  const answer = await node().cri.call<{ status: { conditions: readonly Condition[] } }>("Status", {});
  return answer.status.conditions.find((each) => each.type === type);
};
const diskCondition = (): Promise<Condition | undefined> => condition("DiskHasRoom");

/** Of a container of a pod. */
async function metric(pod: Pod, container: Container, name: string): Promise<string | undefined> {
  const { pod_metrics } = await node().cri.call<{ pod_metrics: readonly PodMetrics[] }>("ListPodSandboxMetrics", {});
  const ofPod = pod_metrics.find(({ pod_sandbox_id }) => pod_sandbox_id === pod.id);
  const { metrics = [] } = ofPod?.container_metrics.find(({ container_id }) => container_id === container.id) ?? {};
  return metrics.find((each) => each.name === name)?.value.value;
}

interface PodMetrics {
  readonly pod_sandbox_id: string;
  readonly container_metrics: readonly {
    readonly container_id: string;
    readonly metrics: readonly { readonly name: string; readonly value: { readonly value: string } }[];
  }[];
}

async function refusesNewThings(t: ExecutionContext, pod: Pod): Promise<void> {
  const before = await leftovers();
  const why = new RegExp(`${disk().path} has \\d+ bytes free`);
  for (const [what, call] of [
    ["a pod", () => Pod.run(node())],
    ["a container", () => pod.create("another", ["true"])],
    ["an image", () => node().cri.call("PullImage", { image: { image: node().image } })],
  ] as const) {
    const failure = await t.throwsAsync(call());
    t.like(failure, { code: status.RESOURCE_EXHAUSTED }, what);
    t.regex(String(failure?.message), why, what);
  }
  t.like(await diskCondition(), { status: false, reason: "DiskFull" });
  const { kernel: _kernel, ...rest } = await leftovers();
  const { kernel, ...restBefore } = before;
  t.deepEqual(rest, restBefore);
  // Programs that a start of berthd asks about the machine come and go.
  await node().eventually("nothing new is in the kernel", async () =>
    (await leftovers()).kernel.every((line) => kernel.includes(line)) ? true : undefined,
  );
}

for (const how of ["goes on", "is killed and starts again", "ends and starts again"] as const) {
  test(`on a full disk pods are stopped and removed, and nothing new is begun, by a berthd that ${how}`, async (t) => {
    const pods = await Promise.all([1, 2, 3].map(() => Pod.run(node())));
    const [first, second, third] = pods as [Pod, Pod, Pod];
    const ends = await first.start("ends", ["sh", "-c", "trap 'exit 7' TERM; while :; do sleep 0.1; done"]);
    const runs = await second.start("runs", ["sleep", "1000"]);
    await third.start("more", ["sleep", "1000"]);
    disk().fill();
    if (how === "is killed and starts again") await node().crash();
    if (how === "ends and starts again") await node().shutdown();
    // What an end gives back another takes.
    disk().fill();
    if (how !== "goes on") await node().boot();

    await refusesNewThings(t, third);
    await ends.stop(10);
    t.like(await ends.status(), { state: "CONTAINER_EXITED", exit_code: 7, reason: "Error" });
    await ends.remove();
    await runs.stop();
    t.like(await runs.status(), { state: "CONTAINER_EXITED", exit_code: 137 });
    await second.stop();
    await node().crash();
    await node().boot();
    t.like((await second.status()).status, { state: "SANDBOX_NOTREADY" });
    for (const pod of pods) await pod.remove();
    t.deepEqual(await node().cri.call("ListPodSandbox", {}), { items: [] });

    disk().free();
    t.like(await diskCondition(), { status: true, message: "" });
    const again = await Pod.run(node());
    await again.start("one", ["true"]);
    await again.remove();
  });
}

test("the reserve does not wear off: records of many times its size are changed and removed", async (t) => {
  const annotations = { note: "x".repeat(200_000) };
  const pods = await Promise.all(Array.from({ length: 16 }, () => Pod.run(node(), { annotations })));
  disk().fill();
  for (const pod of pods) await pod.stop();
  for (const pod of pods) await pod.remove();
  t.deepEqual(await node().cri.call("ListPodSandbox", {}), { items: [] });
});

test("an image is removed on a full disk", async (t) => {
  await node().cri.call("PullImage", { image: { image: node().image } });
  disk().fill();
  await node().cri.call("RemoveImage", { image: { image: node().image } });
  t.deepEqual(await node().cri.call("ListImages", {}), { images: [] });
  disk().free();
  await node().cri.call("PullImage", { image: { image: node().image } });
});

test("with the state folder full an exit code is kept, also when berthd is away, and pods are stopped and removed", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sh", "-c", "trap 'exit 7' TERM; while :; do sleep 0.1; done"]);
  const other = await pod.create("two", ["true"]);
  const pid = await container.pid();
  state().fill();
  await node().crash();
  process.kill(pid, "SIGTERM");
  const record = join(node().state, "pods", pod.id, "containers", container.id, "exit.json");
  await node().eventually("the shim has recorded the exit", async () => readIfThere(record));
  await node().boot();
  t.like(await container.status(), { state: "CONTAINER_EXITED", exit_code: 7 });

  t.like(await t.throwsAsync(other.start()), { code: status.RESOURCE_EXHAUSTED });
  await pod.remove();
});

const readIfThere = (path: string): string | undefined => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
};

test("a container waits for room for its log, and loses no line", async (t) => {
  const logs = SmallDisk.tmpfs(t, 1);
  const pod = await Pod.run(node(), { log_directory: logs.path });
  const many = await pod.start("many", ["seq", "1", String(LINES)]);
  await node().eventually("the disk of the log is full", async () => logs.isFull() || undefined);
  const { state: stateOfMany, log_path } = await many.status();
  t.is(stateOfMany, "CONTAINER_RUNNING");
  await node().eventually("berth why names the pod's container, its file, and the disk", async () => {
    const { stdout } = await berth("why", pod.id);
    return stdout.includes(`many waits for room for its log, which can't be written: write log ${log_path}: No space left`) || undefined;
  });
  const few = await pod.start("few", ["sh", "-c", "seq 1 2000; exit 3"]);
  await node().eventually("an end is told, log or no log", async () => (await few.status()).exit_code === 3 || undefined);
  t.regex((await berth("why", few.id)).stdout, /exited with 3 .*; the end of its log is not written yet: write log .*: No space left/);
  logs.resize(64);
  await node().eventually("all is written", async () => (await many.status()).state === "CONTAINER_EXITED" || undefined);
  t.deepEqual(await linesOf(many), numbers(LINES));
  await node().eventually("what was left is written too", async () => (await linesOf(few)).length === 2000 || undefined);
  t.deepEqual(await linesOf(few), numbers(2000));
  await pod.remove();
});

test("that a container waits for room for its log is an event, a metric and a condition, over a kill of berthd, until there is room", async (t) => {
  const logs = SmallDisk.tmpfs(t, 1);
  const pod = await Pod.run(node(), { log_directory: logs.path });
  const container = await pod.start("many", ["sh", "-c", `seq 1 ${LINES}; sleep 1000`]);
  const blocked = (): Promise<string | undefined> => metric(pod, container, "container_log_blocked");
  const waits = async (): Promise<true | undefined> => (await blocked()) === "1" || undefined;
  await node().eventually("the metric says so", waits);
  const told = await condition("LogsHaveRoom");
  t.like(told, { status: false, reason: "LogBlocked" });
  t.regex(told?.message ?? "", /^many of pod .*\/.* waits for room for its log: write log .*: No space left on device/);
  await node().crash();
  await node().boot();
  await node().eventually("a berthd that comes later knows it", waits);
  logs.resize(64);
  await node().eventually("there is room", async () => (await blocked()) === "0" || undefined);
  t.like(await condition("LogsHaveRoom"), { status: true, message: "" });
  const { stdout } = await berth("events", "--since", `${await node().instanceId()}-0`);
  t.regex(stdout, new RegExp(`^\\S+ log-blocked container ${container.id.slice(0, 13)} `, "m"));
  await pod.remove();
});

test("a container that waits for room for its log can be stopped", async (t) => {
  const logs = SmallDisk.tmpfs(t, 1);
  const pod = await Pod.run(node(), { log_directory: logs.path });
  const container = await pod.start("one", ["yes"]);
  await node().eventually("the disk of the log is full", async () => logs.isFull() || undefined);
  await container.stop();
  t.like(await container.status(), { state: "CONTAINER_EXITED", exit_code: 137 });
  await container.remove();
  await pod.remove();
});

const numbers = (last: number): string[] => Array.from({ length: last }, (_, index) => String(index + 1));

const linesOf = async (container: Container): Promise<string[]> =>
  readFileSync((await container.status()).log_path, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => line.split(" ").at(-1) ?? "");
