import { renameSync, writeFileSync } from "node:fs";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import test from "ava";
import { ContainerState } from "../../../src/generated/cri/runtime/v1/api.ts";
import { FakeNode, NOW_MS } from "./fake-node.ts";

const line = (text: string, stream = "stdout"): string => `T ${stream} F ${text}\n`;
const EXITED = ContainerState.CONTAINER_EXITED;

test("a log is printed to both streams, whole or from its last lines", async (t) => {
  const node = await FakeNode.start(t);
  const logPath = join(node.folder, "0.log");
  await writeFile(logPath, line("one") + line("bad", "stderr") + line("two"));
  node.addContainer(node.addPod("shop"), "web", { logPath });
  t.deepEqual(await node.berth(["logs", "web"]), { code: 0, stdout: "one\ntwo\n", stderr: "bad\n" });
  t.deepEqual(await node.berth(["logs", "--tail", "1", "-t", "web"]), { code: 0, stdout: "T two\n", stderr: "" });
});

test("a log is followed over a rotation, until the container has exited", async (t) => {
  const node = await FakeNode.start(t);
  const logPath = join(node.folder, "logs", "0.log");
  await mkdir(dirname(logPath));
  await writeFile(logPath, line("zero") + line("one"));
  const id = node.addContainer(node.addPod("shop"), "web", { logPath });
  const following = node.berth(["logs", "-f", "--tail", "1", "web"]);
  await node.printed("one");
  await rename(logPath, `${logPath}.1`);
  await writeFile(`${logPath}.1`, line("two"), { flag: "a" });
  await writeFile(logPath, line("three"));
  Object.assign(node.container(id), { state: EXITED });
  t.like(await following, { code: 0, stdout: "one\ntwo\nthree\n" });
});

test("a log is printed with its older files, the oldest first", async (t) => {
  const node = await FakeNode.start(t);
  const logPath = join(node.folder, "0.log");
  await writeFile(`${logPath}.20300102-030405`, line("one"));
  await writeFile(`${logPath}.20300102-030405.000000007`, "T stdout P tw\n");
  await writeFile(`${logPath}.20300102-030406.gz`, "packed");
  await writeFile(`${join(node.folder, "10.log")}.20300102-030405`, line("another's"));
  await writeFile(logPath, line("o") + line("three"));
  node.addContainer(node.addPod("shop"), "web", { logPath });
  t.is((await node.berth(["logs", "web"])).stdout, "one\ntwo\nthree\n");
  t.is((await node.berth(["logs", "--tail", "2", "web"])).stdout, "two\nthree\n");
});

test("a log that is rotated several times between two looks is followed through all of its files", async (t) => {
  const node = await FakeNode.start(t);
  const logPath = join(node.folder, "0.log");
  await writeFile(logPath, line("one"));
  const id = node.addContainer(node.addPod("shop"), "web", { logPath });
  const following = node.berth(["logs", "-f", "web"]);
  await node.printed("one");
  for (const [second, text] of ["two", "three", "four"].entries()) {
    renameSync(logPath, `${logPath}.20300102-03040${second}`);
    writeFileSync(logPath, line(text));
  }
  Object.assign(node.container(id), { state: EXITED });
  t.is((await following).stdout, "one\ntwo\nthree\nfour\n");
});

test("a log that is not there yet is waited for", async (t) => {
  const node = await FakeNode.start(t);
  const logPath = join(node.folder, "later", "0.log");
  const id = node.addContainer(node.addPod("shop"), "web", { logPath, state: ContainerState.CONTAINER_CREATED });
  const following = node.berth(["logs", "-f", "web"]);
  await node.called("ContainerStatus", 2);
  await mkdir(dirname(logPath));
  await writeFile(logPath, line("hello"));
  Object.assign(node.container(id), { state: EXITED });
  t.like(await following, { code: 0, stdout: "hello\n" });
});

test("a container that has not started has printed nothing, and one without a log says so", async (t) => {
  const node = await FakeNode.start(t);
  const shop = node.addPod("shop");
  node.addContainer(shop, "new", { logPath: "/nowhere/0.log", state: ContainerState.CONTAINER_CREATED });
  node.addContainer(shop, "mute");
  t.deepEqual(await node.berth(["logs", "new"]), { code: 0, stdout: "", stderr: "" });
  t.regex((await node.berth(["logs", "mute"])).stderr, /it was made without one/);
});

test("a container that is removed meanwhile ends the following of its log", async (t) => {
  const node = await FakeNode.start(t);
  const logPath = join(node.folder, "0.log");
  await writeFile(logPath, line("hello"));
  const id = node.addContainer(node.addPod("shop"), "web", { logPath });
  const following = node.berth(["logs", "-f", "web"]);
  await node.called("ContainerStatus", 2);
  node.containers.delete(id);
  t.like(await following, { code: 0, stdout: "hello\n" });
});

test("of a log, only what was written from a time on is printed, or lately", async (t) => {
  const node = await FakeNode.start(t);
  const logPath = join(node.folder, "0.log");
  const at = (secondsAgo: number) => new Date(NOW_MS - secondsAgo * 1000).toISOString();
  await writeFile(logPath, [90, 60, 30].map((seconds) => `${at(seconds)} stdout F ${seconds}\n`).join(""));
  node.addContainer(node.addPod("shop"), "web", { logPath });
  t.is((await node.berth(["logs", "--since", "1m", "web"])).stdout, "60\n30\n");
  t.is((await node.berth(["logs", "--since", at(59), "web"])).stdout, "30\n");
  t.is((await node.berth(["logs", "--since", "1h", "--tail", "1", "web"])).stdout, "30\n");
});

test("the log of the container that ran before is printed, and there may be none", async (t) => {
  const node = await FakeNode.start(t);
  const shop = node.addPod("shop");
  for (const attempt of [0, 1, 2]) {
    const logPath = join(node.folder, `${attempt}.log`);
    await writeFile(logPath, line(`attempt ${attempt}`));
    node.addContainer(shop, "web", { logPath, metadata: { name: "web", attempt }, ...(attempt < 2 ? { state: EXITED } : {}) });
  }
  t.is((await node.berth(["logs", "web"])).stdout, "attempt 2\n");
  t.is((await node.berth(["logs", "-p", "web"])).stdout, "attempt 1\n");
  t.is((await node.berth(["logs", "--previous", "c2"])).stdout, "attempt 0\n");
  t.regex((await node.berth(["logs", "-p", "c1"])).stderr, /^berth: find what ran before container web: /);
});
