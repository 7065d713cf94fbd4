// ExecSync: one command beside the container's process, to its end.
import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import test from "ava";
import { cgroupFile } from "../lib/kernel.ts";
import { TestNode } from "../lib/node.ts";
import { type Container, Pod } from "../lib/pods.ts";
import { RUNTIMES } from "../lib/runtimes.ts";
import { shared } from "../lib/teardown.ts";

const node = shared(test, (t) => TestNode.start(t));

test("both streams and the exit code come back", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sleep", "1000"]);
  const { stdout, stderr, exit_code } = await container.exec(["sh", "-c", "echo out; echo err >&2; exit 3"]);
  t.deepEqual({ stdout: stdout.toString(), stderr: stderr.toString(), exit_code }, { stdout: "out\n", stderr: "err\n", exit_code: 3 });
  await pod.remove();
});

// Deaf to SIGTERM: the shell, its child, an orphan in the same session, an orphan in a session of its own, and one forked twice.
const STUBBORN = [
  "sh",
  "-c",
  "trap '' TERM; (sleep 4321 &); (setsid sleep 4321 &); (setsid sh -c '(sleep 4321 &)'); echo begun; sleep 4321 & sleep 4321",
];
const STUBBORN_SLEEPERS = 5;

/** Processes of the container beside its own first one, by their command lines. */
async function others(container: Container): Promise<string[]> {
  return othersIn(await container.cgroupPath());
}

function othersIn(cgroupPath: string): string[] {
  const pids = processesOf(cgroupPath);
  const lines = pids.flatMap((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "latin1").replaceAll("\0", " ").trim();
    } catch {
      return [];
    }
  });
  return lines.filter((line) => line !== "sleep 1000" && line !== "");
}

/** None where the cgroup has gone. */
function processesOf(cgroupPath: string): string[] {
  try {
    return cgroupFile(cgroupPath, "memory", "cgroup.procs", "cgroup.procs").split("\n").filter(Boolean);
  } catch (failure) {
    if (failure instanceof Error && "code" in failure && failure.code === "ENOENT") return [];
    throw failure;
  }
}

const begun = (container: Container): Promise<true> =>
  node().eventually("all of its processes are there", async () =>
    (await others(container)).filter((line) => line === "sleep 4321").length === STUBBORN_SLEEPERS ? true : undefined,
  );

/** Cgroups of the pod's commands, wherever this host has them. */
const execCgroups = ({ id }: Pod): string[] =>
  foldersBelow("/sys/fs/cgroup").filter((path) => path.includes(id) && /\/exec-\d+$/.test(path));

/** Those of others come and go meanwhile. */
function foldersBelow(folder: string): string[] {
  try {
    const names = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    return names.flatMap(({ name }) => [join(folder, name), ...foldersBelow(join(folder, name))]);
  } catch {
    return [];
  }
}

for (const [runtime, modes] of [
  ["crun", ["CONTAINER", "NODE"]],
  ["runc", ["CONTAINER"]],
  ["direct", ["CONTAINER", "NODE"]],
] as const) {
  for (const pid of modes) {
    test(`a command that takes too long is killed with all that it has started: PID namespace ${pid} (${runtime})`, async (t) => {
      const pod = await Pod.run(node(), {}, runtime);
      const container = await pod.start("one", ["sleep", "1000"], { linux: { security_context: { namespace_options: { pid } } } });
      const command = t.throwsAsync(container.exec(STUBBORN, 1));
      await begun(container);
      const failure = await command;
      t.like(failure, { code: status.DEADLINE_EXCEEDED });
      t.regex(String(failure?.message), /timed out: "sh" was killed after 1 s/);
      t.deepEqual(await others(container), [], "nothing is left when the answer comes");
      await node().eventually("its cgroup is gone", async () => (execCgroups(pod).length === 0 ? true : undefined));
      await pod.remove();
    });
  }
}

test("a command whose caller goes away is killed with all that it has started", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sleep", "1000"]);
  const call = node().cri.cancellable("ExecSync", { container_id: container.id, cmd: STUBBORN });
  const answer = t.throwsAsync(call.answer);
  await begun(container);
  call.cancel();
  t.like(await answer, { code: status.CANCELLED });
  await node().eventually("nothing is left", async () => ((await others(container)).length === 0 ? true : undefined));
  t.is(await container.output("echo", "alive"), "alive");
  await pod.remove();
});

test("a command goes with a berthd that is killed, and its container stays", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sleep", "1000"]);
  const cgroupPath = await container.cgroupPath();
  const command = container.exec(STUBBORN).catch(() => {});
  await begun(container);
  await node().crash();
  await command;
  await node().eventually("nothing is left", async () => (othersIn(cgroupPath).length === 0 ? true : undefined));
  await node().boot();
  t.is((await container.status()).state, "CONTAINER_RUNNING");
  await pod.remove();
});

for (const parent of ["", "/berth-test-parent"]) {
  test(`nothing is left of a command whose shim was killed, in a pod of ${parent === "" ? "the node's own cgroup" : "another's"}`, async (t) => {
    const pod = await Pod.run(node(), parent === "" ? {} : { linux: { cgroup_parent: parent } });
    const container = await pod.start("one", ["sleep", "1000"]);
    const command = t.throwsAsync(container.exec(["sleep", "4321"]));
    await node().eventually("it runs", async () => (execCgroups(pod).length === 1 ? true : undefined));
    process.kill(Number(JSON.parse((await pod.status()).info["info"] ?? "{}").shimPid), "SIGKILL");
    await command;
    await container.reached("CONTAINER_EXITED");
    await pod.remove();
    const left = foldersBelow("/sys/fs/cgroup").filter((path) => path.includes(pod.id) || (parent !== "" && path.includes(parent)));
    t.deepEqual(left, []);
  });
}

test("a daemon that a command leaves behind is its container's, and goes with it", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sleep", "1000"]);
  const cgroupPath = await container.cgroupPath();
  await container.output("sh", "-c", "setsid sleep 4321 </dev/null >/dev/null 2>&1 &");
  await node().eventually("it alone is there", async () => ((await others(container)).join() === "sleep 4321" ? true : undefined));
  await node().eventually("its cgroup is gone", async () => (execCgroups(pod).length === 0 ? true : undefined));
  await container.stop(0);
  t.deepEqual(othersIn(cgroupPath), []);
  await pod.remove();
});

for (const runtime of RUNTIMES) {
  test(`a command has the oom_score_adj of its container (${runtime})`, async (t) => {
    const pod = await Pod.run(node(), {}, runtime);
    const container = await pod.start("one", ["sleep", "1000"], { linux: { resources: { oom_score_adj: 987 } } });
    t.is(await container.output("cat", "/proc/1/oom_score_adj"), "987");
    t.is(await container.output("sh", "-c", "cat /proc/self/oom_score_adj"), "987");
    await pod.remove();
  });
}

test("a child that keeps the pipe does not hold up the answer", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sleep", "1000"]);
  const { stdout } = await container.exec(["sh", "-c", "sleep 1000 & echo done"]);
  t.is(stdout.toString(), "done\n");
  await pod.remove();
});

test("what is over 16 MiB is thrown away, and the command still ends", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sleep", "1000"]);
  const { stdout, exit_code } = await container.exec(["dd", "if=/dev/zero", "bs=1M", "count=20"]);
  t.is(exit_code, 0);
  t.is(stdout.length, 16 * 1024 * 1024);
  await pod.remove();
});

// CVE-2022-1708, CVE-2022-31030
test("output without an end is thrown away as it comes: memory has a bound, and nothing of it is on disk", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sleep", "1000"]);
  const { shimPid } = JSON.parse((await pod.status()).info["info"] ?? "{}") as { shimPid: number };
  const before = diskBytes();
  const endless = Array.from({ length: 3 }, () => t.throwsAsync(container.exec(["yes"], 1), { code: status.DEADLINE_EXCEEDED }));
  await Promise.all(endless);
  t.true(diskBytes() - before < 2 ** 20, `${diskBytes() - before} bytes more on disk`);
  t.true(peakKib(shimPid) < 32 * 1024, `the shim had ${peakKib(shimPid)} KiB`);
  t.true(peakKib(node().pid) < 512 * 1024, `berthd had ${peakKib(node().pid)} KiB`);
  await pod.remove();
});

const peakKib = (pid: number): number => Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);

/** Of all files of the node. */
const diskBytes = (): number =>
  readdirSync(node().folder, { recursive: true, encoding: "utf8" }).reduce(
    (sum, name) => sum + (lstatSync(join(node().folder, name), { throwIfNoEntry: false })?.size ?? 0),
    0,
  );

// CVE-2022-23471
test("commands that fail in every way leave no descriptor behind", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sleep", "1000"]);
  const { shimPid } = JSON.parse((await pod.status()).info["info"] ?? "{}") as { shimPid: number };
  const helper = await node().helperPid();
  const descriptors = (): number[] => [node().pid, helper, shimPid].map((pid) => readdirSync(`/proc/${pid}/fd`).length);
  const commands = [["false"], ["/no/such"], ["/etc/passwd"], ["sh", "-c", "kill -9 $$"], ["sh", "-c", "exec >&- 2>&-"], ["true"]];
  const round = () => Promise.all(commands.map((command) => container.exec(command).catch(() => {})));
  await round();
  const before = descriptors();
  for (let count = 0; count < 9; count++) await round();
  await node().eventually("nothing is left", async () =>
    descriptors().every((now, index) => now <= (before[index] ?? 0)) ? true : undefined,
  );
  t.is((await container.exec(["false"])).exit_code, 1);
  await pod.remove();
});

test("many at once each get their own answer", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sleep", "1000"]);
  const answers = await Promise.all(Array.from({ length: 16 }, (_, index) => container.output("echo", String(index))));
  t.deepEqual(
    answers,
    Array.from({ length: 16 }, (_, index) => String(index)),
  );
  await pod.remove();
});

for (const [what, command, code] of [
  ["a command that is not there", ["/no/such/command"], 3],
  ["no command", [], 3],
] as const) {
  test(`${what} is an invalid argument`, async (t) => {
    const pod = await Pod.run(node());
    const container = await pod.start("one", ["sleep", "1000"]);
    t.like(await t.throwsAsync(container.exec(command)), { code });
    await pod.remove();
  });
}
