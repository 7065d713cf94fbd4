// berthd may be killed at any moment: no container notices, no line of a log is lost, no exit code is forgotten.
import { readFile, stat } from "node:fs/promises";
import test from "ava";
import { berthOf } from "../lib/berth.ts";
import { freezeCgroup, isRunning } from "../lib/kernel.ts";
import { TestNode } from "../lib/node.ts";
import { Pod } from "../lib/pods.ts";
import { shared } from "../lib/teardown.ts";

const node = shared(test, (t) => TestNode.start(t));
const { berth } = berthOf(node);

test("after kill -9 the pod is known, its containers run on, and their logs are whole", async (t) => {
  const pod = await Pod.run(node());
  const counter = await pod.start("counter", ["sh", "-c", "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.01; done"]);
  const [address, pid] = [await pod.address(), await counter.pid()];
  await counter.logged(/ line 5$/);
  const { log_path } = await counter.status();
  await node().crash();
  const linesNow = async (): Promise<number> => (await readFile(log_path, "utf8")).split("\n").length;
  const atCrash = await linesNow();
  await node().eventually("lines are written while nobody is there", async () => ((await linesNow()) > atCrash + 20 ? true : undefined));
  await node().boot();
  t.is((await pod.status()).status.state, "SANDBOX_READY");
  t.is(await pod.address(), address);
  t.is((await counter.status()).state, "CONTAINER_RUNNING");
  t.is(await counter.pid(), pid);
  t.is(await counter.output("echo", "alive"), "alive");
  await counter.stop(0);
  const numbers = (await counter.log()).map((line) => Number(/^stdout F line (\d+)$/.exec(line)?.[1]));
  t.true(numbers.length > 10);
  t.deepEqual(
    numbers,
    numbers.map((_number, index) => index + 1),
  );
  await pod.remove();
});

test("exit codes of containers that ended while berthd was away are known after it came back", async (t) => {
  const pod = await Pod.run(node());
  const short = await pod.start("short", ["sh", "-c", "sleep 0.3; exit 7"]);
  const pid = await short.pid();
  await node().crash();
  await node().eventually("the process has ended", async () => (isRunning(pid) ? undefined : true));
  await node().boot();
  const { exit_code, reason, state } = await short.reached("CONTAINER_EXITED");
  t.deepEqual({ state, exit_code, reason }, { state: "CONTAINER_EXITED", exit_code: 7, reason: "Error" });
  await pod.remove();
});

test("a clean stop of berthd leaves pods alone, and the next start finds them", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sleep", "1000"]);
  const pid = await container.pid();
  await node().shutdown();
  t.true(isRunning(pid));
  await node().boot();
  t.is((await container.status()).state, "CONTAINER_RUNNING");
  await pod.remove();
  t.false(isRunning(pid));
});

test("a helper that is killed is started again, and pods go on", async (t) => {
  const pod = await Pod.run(node());
  const helper = await node().helperPid();
  process.kill(helper, "SIGKILL");
  await node().eventually("another helper is there", async () => {
    const now = await node().helperPid();
    return now > 0 && now !== helper ? true : undefined;
  });
  await node().eventually("it can start a pod", async () =>
    Pod.run(node()).then(
      (other) => other.remove().then(() => true),
      () => undefined,
    ),
  );
  t.is((await pod.status()).status.state, "SANDBOX_READY");
  await pod.remove();
});

test("a shim that is killed ends only its own pod", async (t) => {
  const [lost, other] = [await Pod.run(node()), await Pod.run(node())];
  const [victim, witness] = [await lost.start("one", ["sleep", "1000"]), await other.start("one", ["sleep", "1000"])];
  const pid = await victim.pid();
  process.kill(Number(JSON.parse((await lost.status()).info["info"] ?? "{}").shimPid), "SIGKILL");
  const { exit_code, reason } = await victim.reached("CONTAINER_EXITED");
  t.deepEqual({ exit_code, reason }, { exit_code: 137, reason: "ShimLost" });
  await node().eventually("its pod is not ready", async () =>
    (await lost.status()).status.state === "SANDBOX_NOTREADY" ? true : undefined,
  );
  t.false(isRunning(pid));
  t.is((await witness.status()).state, "CONTAINER_RUNNING");
  for (const pod of [lost, other]) await pod.remove();
});

test("a helper that was taken over is started again when it ends", async (t) => {
  await node().crash();
  await node().boot();
  const pod = await Pod.run(node());
  const helper = await node().helperPid();
  process.kill(helper, "SIGKILL");
  const other = await node().eventually("a pod can be started again", async () => Pod.run(node()).catch(() => undefined));
  t.not(await node().helperPid(), helper);
  for (const each of [pod, other]) await each.remove();
});

test("a helper that was taken over is started again, also when it ends in the middle of a call", async (t) => {
  await node().crash();
  await node().boot();
  const helper = await node().helperPid();
  // The call has come and is not read: its caller meets the reset, and undoes with calls of its own, before the connection is closed.
  process.kill(helper, "SIGSTOP");
  const unread = t.throwsAsync(Pod.run(node(), { metadata: { name: "unread", namespace: "test", uid: "unread", attempt: 0 } }));
  await node().eventually("the call waits for the helper", async () =>
    (await berth("why", "unread")).stdout.includes("waits for the helper") ? true : undefined,
  );
  process.kill(helper, "SIGKILL");
  await unread;
  const pod = await node().eventually("a pod can be started again", async () => Pod.run(node()).catch(() => undefined));
  t.not(await node().helperPid(), helper);
  await pod.remove();
});

test("a command that goes on does not hold up the end of berthd for long", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sleep", "1000"]);
  const command = container.exec(["sleep", "1000"]).catch(() => {});
  await node().eventually("the command runs", async () => ((await container.output("pidof", "sleep")).includes(" ") ? true : undefined));
  await t.notThrowsAsync(node().shutdown(), "it ends although the command does not");
  await command;
  await node().boot();
  await pod.remove();
});

test("an exit that comes while the helper is away is recorded when it is back", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sleep", "1000"]);
  const pid = await container.pid();
  process.kill(await node().helperPid(), "SIGKILL");
  process.kill(pid, "SIGKILL");
  const { exit_code } = await container.reached("CONTAINER_EXITED");
  t.is(exit_code, 137);
  await t.notThrowsAsync(container.stop());
  await pod.remove();
});

test("a pod whose shim dies together with the helper is settled, and can be removed", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sleep", "1000"]);
  const shimPid = Number(JSON.parse((await pod.status()).info["info"] ?? "{}").shimPid);
  process.kill(await node().helperPid(), "SIGKILL");
  process.kill(shimPid, "SIGKILL");
  t.like(await container.reached("CONTAINER_EXITED"), { exit_code: 137, reason: "ShimLost" });
  await node().eventually("its pod is not ready", async () =>
    (await pod.status()).status.state === "SANDBOX_NOTREADY" ? true : undefined,
  );
  await pod.remove();
});

test("a pod whose shim dies while its container is frozen is settled, and can be removed", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sleep", "1000"]);
  const pid = await container.pid();
  freezeCgroup(await container.cgroupPath());
  const shimPid = Number(JSON.parse((await pod.status()).info["info"] ?? "{}").shimPid);
  process.kill(shimPid, "SIGKILL");
  t.like(await container.reached("CONTAINER_EXITED"), { exit_code: 137, reason: "ShimLost" });
  t.false(isRunning(pid));
  await pod.remove();
});

test("after kill -9 each of thirty pods is as it is: those that run, those that have ended meanwhile, and those without a shim", async (t) => {
  const count = 30;
  const pods = await Promise.all(Array.from({ length: count }, () => Pod.run(node())));
  const containers = await Promise.all(pods.map((pod) => pod.start("main", ["sleep", "1000"])));
  const [ended, lost] = await Promise.all([containers[3]?.pid(), shimPid(pods[7])]);
  await node().crash();
  for (const pid of [ended, lost]) process.kill(pid ?? 0, "SIGKILL");
  await node().eventually("both have ended", async () => ([ended, lost].some((pid) => isRunning(pid ?? 0)) ? undefined : true));
  await node().boot();
  const states = await Promise.all(pods.map(async (pod) => (await pod.status()).status.state));
  t.deepEqual(
    states,
    states.map((_, index) => (index === 7 ? "SANDBOX_NOTREADY" : "SANDBOX_READY")),
  );
  const exits = await Promise.all(containers.map((container) => container.status()));
  t.deepEqual(
    exits.map(({ state, exit_code: code }) => `${state} ${code}`),
    exits.map((_, index) => (index === 3 || index === 7 ? "CONTAINER_EXITED 137" : "CONTAINER_RUNNING 0")),
  );
  const { items } = await node().cri.call<{ items: readonly unknown[] }>("ListPodSandbox", {});
  t.is(items.length, count);
  await Promise.all(pods.map((pod) => pod.remove()));
});

const shimPid = async (pod: Pod | undefined): Promise<number> => JSON.parse((await pod?.status())?.info["info"] ?? "{}").shimPid;

test("a shim that does not answer delays the start of berthd by moments only", async (t) => {
  const [frozen, other] = [await Pod.run(node()), await Pod.run(node())];
  const shimPid = Number(JSON.parse((await frozen.status()).info["info"] ?? "{}").shimPid);
  process.kill(shimPid, "SIGSTOP");
  await node().crash();
  await node().boot();
  t.is((await other.status()).status.state, "SANDBOX_READY");
  process.kill(shimPid, "SIGCONT");
  for (const pod of [frozen, other]) await pod.remove();
});

test("nobody but root can look below the root folder", async (t) => {
  t.is((await stat(node().root)).mode & 0o777, 0o700);
});
