// `berth why` against a real node: each thing that can be waited for is really waited for.
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { berthOf } from "../lib/berth.ts";
import { TestNode } from "../lib/node.ts";
import { Pod } from "../lib/pods.ts";
import { shared } from "../lib/teardown.ts";

// An OCI runtime whose `create` waits until somebody opens its gate.
const folder = mkdtempSync(join(tmpdir(), "berth-why-"));
const gate = join(folder, "gate");
const slowRuntime = join(folder, "slow");
execFileSync("mkfifo", [gate]);
writeFileSync(slowRuntime, `#!/bin/sh\ncase " $* " in *" create "*) read -r _ < ${gate} ;; esac\nexec crun "$@"\n`);
chmodSync(slowRuntime, 0o755);
test.after.always(() => rmSync(folder, { recursive: true }));

const node = shared(test, (t) => TestNode.start(t, { flags: ["--runtime", slowRuntime] }));
const { berth, succeeds } = berthOf(node);
const fast = (): Promise<Pod> => Pod.run(node(), {}, "crun");
const nameOf = (pod: Pod): string => (pod.config["metadata"] as { name: string }).name;

/** Asks until the answer is as expected. */
const becomes = (object: string, expected: RegExp): Promise<string> =>
  node().eventually(`berth why says ${expected}`, async () => {
    const { stdout } = await berth("why", object);
    return expected.test(stdout) ? stdout : undefined;
  });

test.serial("what nothing is done to says how it is, and since when", async (t) => {
  const pod = await fast();
  t.regex(await succeeds("why", pod.id), /^nothing: ready since \d+\.\d s; it has no container\n$/);
  const running = await pod.start("one", ["sleep", "1000"]);
  const created = await pod.create("two", ["true"]);
  t.regex(await succeeds("why", `${nameOf(pod)}/one`), /^nothing: running since \d+\.\d s\n$/);
  t.regex(await succeeds("why", created.id), /^nothing: created and never started, since /);
  t.regex(await succeeds("why", nameOf(pod)), /; containers: 1 running, 1 created\n$/);
  await running.stop();
  t.regex(await succeeds("why", running.id), /^nothing: exited with 137 \(Error\), since /);
  await pod.stop();
  t.regex(await succeeds("why", pod.id), /^nothing: it is stopped, and stays on record until it is removed\n$/);
  await pod.remove();
  const { code, stderr } = await berth("why", pod.id);
  t.is(code, 1);
  t.regex(stderr, /^berth: explain "[0-9a-f]{64}": no pod, container or image is called so/);
});

test.serial("an image that is here is waited for by nobody", async (t) => {
  t.is(await succeeds("why", node().image), "nothing: the image is on this node\n");
});

test.serial("a container that was killed for its memory tells its limit", async (t) => {
  const pod = await fast();
  const linux = { resources: { memory_limit_in_bytes: 16_777_216 } };
  const container = await pod.start("hungry", ["tail", "/dev/zero"], { linux });
  await container.reached("CONTAINER_EXITED");
  t.regex(await succeeds("why", container.id), /^nothing: exited with 137 \(OOMKilled, limit 16\.0 MiB\), since /);
  await pod.remove();
});

test.serial("a start waits for the OCI runtime, and its pod with it", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.create("one", ["sleep", "1000"]);
  const started = container.start();
  t.regex(await becomes(container.id, /runtime's create/), /^StartContainer: waits for the OCI runtime's create, since \d+\.\d s\n$/);
  t.regex(await succeeds("why", pod.id), /^StartContainer: waits for the OCI runtime's create, since /);
  const stopped = container.stop();
  await becomes(container.id, /StopContainer waits|StartContainer/);
  writeFileSync(gate, "\n");
  await started;
  await stopped;
  t.regex(await succeeds("why", container.id), /^nothing: exited/);
  await pod.remove();
});

test.serial("a stop tells which signal was sent, and when SIGKILL follows", async (t) => {
  const pod = await fast();
  const container = await pod.start("stubborn", ["sh", "-c", "trap '' TERM; while :; do sleep 1; done"]);
  const stopped = container.stop(30);
  const line = await becomes(container.id, /SIGTERM was sent/);
  t.regex(line, /^StopContainer: waits for the process to end: SIGTERM was sent, and SIGKILL follows in \d\d s, since \d+\.\d s\n$/);
  t.like(JSON.parse(await succeeds("why", "-o", "json", container.id))[0], { call: "StopContainer" });
  process.kill(await container.pid(), "SIGKILL");
  await stopped;
  await pod.remove();
});

test.serial("a pod that is being made is known by its name, before it is listed", async (t) => {
  const helper = await node().helperPid();
  process.kill(helper, "SIGSTOP");
  const metadata = { name: "early", namespace: "test", uid: "early", attempt: 0 };
  const run = Pod.run(node(), { metadata }, "crun");
  try {
    t.regex(
      await becomes("early", /helper/),
      /^RunPodSandbox: waits for the helper to make cgroup, namespaces and links, since \d+\.\d s\n$/,
    );
  } finally {
    process.kill(helper, "SIGCONT");
  }
  await (await run).remove();
});

test.serial("a pull says that the registry has not answered yet", async (t) => {
  const silent = createServer(() => {});
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  const { port } = silent.address() as { port: number };
  const image = `127.0.0.1:${port}/test/slow:1`;
  const pulled = t.throwsAsync(node().cri.call("PullImage", { image: { image } }, 2000));
  t.regex(await becomes(image, /PullImage/), /^PullImage: waits for the registry to send the manifest, since \d+\.\d s\n$/);
  await pulled;
  silent.close();
});

test.serial("a container whose log can't be written says so", async (t) => {
  const logs = join(node().logs, "full");
  mkdirSync(logs);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "none", logs]);
  try {
    const pod = await Pod.run(node(), { log_directory: logs }, "crun");
    const container = await pod.start("talker", ["sh", "-c", "while :; do echo 0123456789012345678901234567890123456789; done"]);
    t.regex(await becomes(container.id, /log/), /^its writes: waits for room for its log, which can't be written, since /);
    execFileSync("mount", ["-o", "remount,size=64m", logs]);
    await pod.remove();
  } finally {
    execFileSync("umount", [logs]);
  }
});
