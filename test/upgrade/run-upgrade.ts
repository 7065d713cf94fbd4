// A node of a build of the past is upgraded under its pods, put back, and upgraded again: what runs goes on, and can be used and ended.
import assert from "node:assert/strict";
import { readFile, rename } from "node:fs/promises";
import { messageOf } from "../../src/base/errors.ts";
import { berthOf } from "../lib/berth.ts";
import { isRunning } from "../lib/kernel.ts";
import { programs, type TestNode } from "../lib/node.ts";
import { type Container, Pod } from "../lib/pods.ts";
import { isAsBefore, quietRemains } from "../crash/remains.ts";

const COUNTER = ["sh", "-c", "trap 'exit 9' TERM; i=0; while :; do i=$((i+1)); echo line $i; sleep 0.02; done"];
const OLDER = /made anew|make the pod anew/;

/** @param node with the programs of an older build @param tell hears what has held @returns what was done */
export async function runUpgrade(node: TestNode, tell: (line: string) => void): Promise<string> {
  const previous = node.bin;
  const { succeeds, berth } = berthOf(() => node);
  const before = await remainsOfBoth(node, previous);
  const [pod, doomed] = [await Pod.run(node), await Pod.run(node)];
  const counter = await pod.start("counter", COUNTER);
  const short = await pod.start("short", ["sh", "-c", "sleep 1; exit 5"]);
  const waiting = await pod.create("waiting", ["sh", "-c", "exit 4"]);
  const lonely = await doomed.start("lonely", ["sleep", "1000"]);
  const [address, pid, shim, helper] = [await pod.address(), await counter.pid(), await shimPid(pod), await node.helperPid()];

  // kill -9, so that nothing is put in order for the next one.
  await node.crash();
  node.bin = programs;
  await node.boot();
  assert.notEqual(await node.helperPid(), helper);
  assert.equal((await pod.status()).status.state, "SANDBOX_READY");
  assert.deepEqual([await pod.address(), await counter.pid(), await shimPid(pod)], [address, pid, shim]);
  assert.equal((await short.reached("CONTAINER_EXITED")).exit_code, 5);
  tell("  ✔ pods, addresses, processes and exits are known, and the helper is the new one");

  assert.equal(await counter.output("echo", "alive"), "alive");
  assert.equal((await counter.exec(["sh", "-c", "echo err >&2; exit 7"])).exit_code, 7);
  await waiting.start();
  assert.equal((await waiting.reached("CONTAINER_EXITED")).exit_code, 4);
  const fresh = await pod.start("fresh", ["sh", "-c", "exit 3"]);
  assert.equal((await fresh.reached("CONTAINER_EXITED")).exit_code, 3);
  await fresh.remove();
  tell("  ✔ commands run, and containers are created, started, stopped and removed in an older pod");

  await logGoesOn(counter);
  tell("  ✔ a log is reopened, and no line is lost");
  await usageIsTold(counter);
  await node.cri.call("UpdateContainerResources", { container_id: counter.id, linux: { memory_limit_in_bytes: 64 * 1024 ** 2 } });
  tell("  ✔ usage is told, and limits change");

  tell(`  ✔ exec with streams ${await session(node, counter)}`);
  assert.match(await succeeds("pods", "--shims", "--no-trunc"), /another build/);
  await node.eventually("the audit agrees", async () => ((await berth("audit")).code === 0 ? true : undefined));
  tell("  ✔ the audit finds no difference");

  // Back to the older build, with a pod of the newer one.
  const newer = await Pod.run(node);
  const inNewer = await newer.start("one", COUNTER);
  // In order, which ends the helper: builds of before helpers were replaced would use the newer one.
  await node.shutdown();
  node.bin = previous;
  await node.boot();
  assert.equal(await inNewer.output("echo", "alive"), "alive");
  assert.equal(await counter.output("echo", "alive"), "alive");
  await inNewer.stop(10);
  assert.equal((await inNewer.status()).exit_code, 9);
  tell("  ✔ the older build drives pods of the newer one");
  tell(`  ✔ it starts new containers in them: ${await startsAnother(newer)}`);
  await doomed.remove();
  assert.equal(isRunning(await lonely.pid().catch(() => 0)), false);

  await node.crash();
  node.bin = programs;
  await node.boot();
  await counter.stop(10);
  assert.equal((await counter.status()).exit_code, 9);
  await pod.remove();
  await newer.remove();
  assert.equal(isRunning(shim), false);
  await isAsBefore(node, before);
  return "all is stopped and removed, and nothing is left";
}

/** As it is with the new programs, and then with the older ones again. Some folders and a file of SQLite are made with the first pod of each build, and stay. */
async function remainsOfBoth(node: TestNode, previous: string): Promise<string[]> {
  const runOne = async (): Promise<void> => {
    const pod = await Pod.run(node);
    await pod.start("first", ["true"]);
    await pod.remove();
  };
  await runOne();
  await node.crash();
  node.bin = programs;
  await node.boot();
  await runOne();
  const found = await quietRemains(node);
  await node.shutdown();
  node.bin = previous;
  await node.boot();
  return found;
}

/** Builds of before the first release know less of where a pod has its files than their records say. */
async function startsAnother(pod: Pod): Promise<string> {
  try {
    const container = await pod.start("another", ["sh", "-c", "exit 2"]);
    assert.equal((await container.reached("CONTAINER_EXITED")).exit_code, 2);
    return "yes";
  } catch (failure) {
    return `no, ${messageOf(failure)}`;
  }
}

const shimPid = async (pod: Pod): Promise<number> => Number(JSON.parse((await pod.status()).info["info"] ?? "{}").shimPid);

async function logGoesOn(counter: Container): Promise<void> {
  const { log_path: path } = await counter.status();
  await rename(path, `${path}.1`);
  await counter.node.cri.call("ReopenContainerLog", { container_id: counter.id });
  await counter.node.eventually("the new file has lines", async () => ((await readFile(path, "utf8")).includes("line") ? true : undefined));
  const text = `${await readFile(`${path}.1`, "utf8")}${await readFile(path, "utf8")}`;
  const numbers = [...text.matchAll(/ stdout F line (\d+)\n/g)].map(([, number]) => Number(number));
  assert.deepEqual(
    numbers,
    numbers.map((_number, at) => at + 1),
  );
  // As it was, for the log's next reader.
  await rename(`${path}.1`, `${path}.2`);
}

async function usageIsTold(counter: Container): Promise<void> {
  const { stats } = await counter.node.cri.call<{ stats: { cpu: { usage_core_nano_seconds: { value: string } } } }>("ContainerStats", {
    container_id: counter.id,
  });
  assert.ok(Number(stats.cpu.usage_core_nano_seconds.value) > 0);
}

/** What an older shim may lack works, or is refused in words. */
async function session(node: TestNode, counter: Container): Promise<string> {
  const { berth } = berthOf(() => node);
  const { code, stdout, stderr } = await berth("exec", counter.id, "echo", "session");
  if (code === 0) assert.equal(stdout, "session\n");
  else assert.match(stderr, OLDER);
  return code === 0 ? "works" : "is refused in words";
}
