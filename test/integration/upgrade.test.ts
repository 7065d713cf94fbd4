// A berthd of another build than the helper and the shims that it finds. `make campaign CAMPAIGN=upgrade` does it with builds of the past.
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { status } from "@grpc/grpc-js";
import test from "ava";
import { berthOf } from "../lib/berth.ts";
import { installPrograms } from "../lib/install-programs.ts";
import { isRunning } from "../lib/kernel.ts";
import { programs, TestNode } from "../lib/node.ts";
import { Pod } from "../lib/pods.ts";
import { type OtherBuild, ShimProxy } from "../lib/shim-proxy.ts";
import { shared } from "../lib/teardown.ts";

const node = shared(test, (t) => TestNode.start(t));
const { berth, succeeds } = berthOf(node);

const podOf = async (name: string): Promise<readonly string[]> =>
  (await succeeds("pods", "--shims", "--no-trunc"))
    .split("\n")
    .filter((line) => line.startsWith(name))
    .map(
      (line) =>
        line
          .split(/\s{2,}/)
          .at(-1)
          ?.trim() ?? "",
    );

const shimPid = async (pod: Pod): Promise<number> => Number(JSON.parse((await pod.status()).info["info"] ?? "{}").shimPid);

async function whileOther(pod: Pod, build: OtherBuild, work: () => Promise<void>): Promise<void> {
  await node().crash();
  const proxy = await ShimProxy.before(node().state, pod.id, build);
  try {
    await node().boot();
    await work();
  } finally {
    await node().crash();
    await proxy.end();
    await node().boot();
  }
}

test("programs are replaced under a node that runs: the next start brings its own helper, and pods go on with their shims", async (t) => {
  await node().shutdown();
  node().bin = join(node().folder, "bin");
  await installPrograms(programs, node().bin);
  await node().boot();
  const old = await Pod.run(node());
  const container = await old.start("one", ["sleep", "1000"]);
  const [helper, pid, shim] = [await node().helperPid(), await container.pid(), await shimPid(old)];

  await node().crash();
  await node().boot();
  t.is(await node().helperPid(), helper, "a helper of the same build is used as it is");
  t.deepEqual(await podOf(old.id), ["0.1.0"]);

  await node().crash();
  await installPrograms(programs, node().bin);
  await node().boot();
  t.not(await node().helperPid(), helper);
  t.false(isRunning(helper));
  t.regex(node().log, /the helper is of another build or was started otherwise; it is replaced/);
  t.is(await shimPid(old), shim);
  t.is(await container.pid(), pid);
  t.is(await container.output("echo", "alive"), "alive");
  t.deepEqual(await podOf(old.id), ["0.1.0, another build"]);
  t.regex(await succeeds("why", old.id), /its shim is of another build than new pods get, and goes on as it is/);
  const fresh = await Pod.run(node());
  t.deepEqual(await podOf(fresh.id), ["0.1.0"]);
  await fresh.remove();
  await old.remove();
  t.is((await berth("audit")).code, 0);
});

test("a helper that was started for other programs is replaced too", async (t) => {
  const helper = await node().helperPid();
  await node().crash();
  const before = node().bin;
  node().bin = join(node().folder, "elsewhere");
  await installPrograms(programs, node().bin);
  await node().boot();
  t.not(await node().helperPid(), helper);
  t.false(isRunning(helper));
  await node().crash();
  node().bin = before;
  await node().boot();
  t.is((await berth("audit")).code, 0);
});

test("a shim of before there were revisions is driven, and what it would pass over is refused with what to do", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sh", "-c", "while :; do echo tick; sleep 0.05; done"]);
  await whileOther(
    pod,
    { says: { revision: 0, version: "" }, knowsNot: ["ensurePodPid", "attach", "portForward", "cancelExec"] },
    async () => {
      t.is(await container.output("echo", "alive"), "alive");
      await container.logged(/tick/);
      const second = await pod.start("two", ["sh", "-c", "exit 3"]);
      t.is((await second.reached("CONTAINER_EXITED")).exit_code, 3);
      await second.remove();
      const inPodPid = { linux: { security_context: { namespace_options: { pid: 0 } } } };
      const third = await pod.create("three", ["true"], inPodPid);
      const shares = await t.throwsAsync(third.start());
      t.is(Object(shares).code, status.FAILED_PRECONDITION);
      t.regex(shares?.message ?? "", /the pod was started by an older Berth, whose shim does not know it; make the pod anew/);
      const withTerminal = await pod.create("four", ["sh"], { tty: true, stdin: true });
      const terminal = await t.throwsAsync(withTerminal.start());
      t.is(Object(terminal).code, status.FAILED_PRECONDITION);
      t.regex(terminal?.message ?? "", /use streams of a process: the pod was started by an older Berth/);
      const { code, stderr } = await berth("exec", container.id, "true");
      t.not(code, 0);
      t.regex(stderr, /use streams of a process: the pod was started by an older Berth/);
      t.deepEqual(await podOf(pod.id), ["unknown"]);
      await container.stop(0);
      t.is((await container.status()).exit_code, 137);
    },
  );
  await pod.remove();
  t.is((await berth("audit")).code, 0);
});

test("a pod of a Berth with another protocol goes on untouched, and the Berth that has made it finds it whole", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sleep", "1000"]);
  const pid = await container.pid();
  await whileOther(pod, { says: { protocolVersion: 2 } }, async () => {
    t.is((await pod.status()).status.state, "SANDBOX_READY");
    const refused = await t.throwsAsync(container.exec(["true"]));
    t.is(Object(refused).code, status.FAILED_PRECONDITION);
    t.regex(refused?.message ?? "", /it speaks protocol 2, and this berthd 1: .* install that again, or remove the pod/);
    t.regex(await succeeds("why", pod.id), /it speaks protocol 2/);
    t.deepEqual(await podOf(pod.id), ["unknown, can't be driven"]);
    t.is((await berth("audit")).code, 0);
    const other = await Pod.run(node());
    await other.remove();
  });
  t.is(await container.pid(), pid);
  t.is(await container.output("echo", "alive"), "alive");
  await pod.remove();
});

test("a pod of another protocol can be removed: its shim is killed with all it has", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sleep", "1000"]);
  const [pid, shim] = [await container.pid(), await shimPid(pod)];
  await node().crash();
  const proxy = await ShimProxy.before(node().state, pod.id, { says: { protocolVersion: 2 } });
  await node().boot();
  await pod.remove();
  t.false(isRunning(shim));
  t.false(isRunning(pid));
  await proxy.end();
  t.is((await berth("audit", "--repair")).code, 0);
});

test("records of a newer Berth end the start in words, with pods and records as they were", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sleep", "1000"]);
  await node().shutdown();
  const version = (change: number): void => {
    const database = new DatabaseSync(join(node().root, "records.db"));
    database.exec(`PRAGMA user_version = ${change}`);
    database.close();
  };
  version(99);
  await t.throwsAsync(node().boot(), {
    message: /berthd ended with 1: .*of version 99, of a newer Berth, and this one knows up to 1: install that again/s,
  });
  version(1);
  await node().boot();
  t.is(await container.output("echo", "alive"), "alive");
  await pod.remove();
});
