// The PID namespaces that the CRI knows: a container's own, the pod's, the node's, and another container's.
import { readFileSync } from "node:fs";
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import test from "ava";
import type { Message } from "../lib/cri.ts";
import { cgroupFile, isRunning, kernelObjectsOf, namespaceOf } from "../lib/kernel.ts";
import { programs, TestNode } from "../lib/node.ts";
import { type Container, Pod } from "../lib/pods.ts";
import { RUNTIMES } from "../lib/runtimes.ts";
import { shared } from "../lib/teardown.ts";

const node = shared(test, (t) => TestNode.start(t));

const NAME = "berth-pod-init";
const security = (security_context: Message): Message => ({ linux: { security_context } });
const pid = (mode: string, more: Message = {}): Message => security({ namespace_options: { pid: mode, ...more } });
const asPod = pid("POD");
const targets = ({ id }: Container): Message => pid("TARGET", { target_id: id });

const pidNamespace = async (container: Container): Promise<string> => namespaceOf(await container.pid(), "pid");
const processes = (container: Container): string[] => cgroupProcesses(pathOf.get(container) ?? "");

// A stopped container's path is still told, but asking for it costs a call, and here the moment counts.
const pathOf = new WeakMap<Container, string>();
function cgroupProcesses(path: string): string[] {
  try {
    const text = cgroupFile(path, "pids", "cgroup.procs", "cgroup.procs");
    return text.split("\n").filter((line) => line !== "");
  } catch (failure) {
    // The OCI runtime takes it away soon after the exit.
    if (failure instanceof Error && "code" in failure && (failure.code === "ENOENT" || failure.code === "ENODEV")) return [];
    throw failure;
  }
}

async function shimPid(pod: Pod): Promise<number> {
  return Number(JSON.parse((await pod.status()).info["info"] ?? "{}").shimPid);
}

/** The PID 1 of the pod's shared namespace, by its number on the node. */
async function podInit(pod: Pod): Promise<number | undefined> {
  const shim = await shimPid(pod);
  const children = readFileSync(`/proc/${shim}/task/${shim}/children`, "utf8").trim().split(" ").map(Number);
  return children.find((child) => child > 0 && readFileSync(`/proc/${child}/comm`, "utf8").trim() === NAME);
}

async function requirePodInit(pod: Pod): Promise<number> {
  const found = await podInit(pod);
  if (found === undefined) throw new Error(`pod ${pod.id} has no ${NAME}`);
  return found;
}

function statusOf(process: number): Record<string, string> {
  const lines = readFileSync(`/proc/${process}/status`, "utf8").split("\n");
  return Object.fromEntries(lines.map((line) => line.split(/:\s*/, 2)));
}

for (const runtime of RUNTIMES) {
  test(`containers that ask for the pod's PID namespace see each other, and nothing of the node (${runtime})`, async (t) => {
    const instanceId = await node().instanceId();
    const before = kernelObjectsOf(node().folder, instanceId);
    const pod = await Pod.run(node(), {}, runtime);
    const alone = await pod.start("alone", ["sleep", "1001"], pid("CONTAINER"));
    const silent = await pod.start("silent", ["sleep", "1002"]);
    t.is(await podInit(pod), undefined, "nobody has asked for a shared one");
    const one = await pod.start("one", ["sleep", "1003"], asPod);
    const other = await pod.start("other", ["sleep", "1004"], asPod);

    const init = await requirePodInit(pod);
    t.is(await pidNamespace(one), namespaceOf(init, "pid"));
    t.is(await pidNamespace(other), namespaceOf(init, "pid"));
    const all = await Promise.all([one, alone, silent].map(pidNamespace));
    t.is(new Set([...all, namespaceOf(process.pid, "pid")]).size, 4, "each other is its own");

    const seen = (await one.output("ps", "-o", "pid,args")).split("\n").map((line) => line.trim());
    t.true(seen.includes(`1 ${NAME}`), seen.join("\n"));
    for (const command of ["sleep 1003", "sleep 1004"])
      t.true(
        seen.some((line) => line.endsWith(command)),
        seen.join("\n"),
      );
    t.false(
      seen.some((line) => /sleep 100[12]/.test(line)),
      seen.join("\n"),
    );
    t.deepEqual(
      (await alone.output("ps", "-o", "pid,args"))
        .split("\n")
        .map((line) => line.trim())
        .filter((line) => line.startsWith("1 ")),
      ["1 sleep 1001"],
    );

    await pod.remove();
    t.false(isRunning(init));
    const left = () => kernelObjectsOf(node().folder, instanceId).filter((line) => !before.includes(line));
    await node().eventually(`nothing is left: ${left()}`, async () => (left().length === 0 ? true : undefined));
  });

  test(`PID 1 of the pod has nothing that a container could take (${runtime})`, async (t) => {
    const pod = await Pod.run(node(), {}, runtime);
    const tracer = await pod.start(
      "tracer",
      ["sleep", "1000"],
      security({ namespace_options: { pid: "POD" }, capabilities: { add_capabilities: ["SYS_PTRACE"] } }),
    );
    const init = await requirePodInit(pod);
    const { CapInh, CapPrm, CapEff, CapBnd, CapAmb, NoNewPrivs, Seccomp, SigBlk, SigCgt, SigIgn, PPid, Threads } = statusOf(init);
    for (const set of [CapInh, CapPrm, CapEff, CapBnd, CapAmb, SigBlk, SigCgt]) t.is(set, "0".repeat(16));
    t.deepEqual({ NoNewPrivs, Seccomp, Threads }, { NoNewPrivs: "1", Seccomp: "1", Threads: "1" });
    t.is(SigIgn, "0000000000010000", "SIGCHLD alone: the kernel reaps");
    t.is(PPid, String(await shimPid(pod)));

    const seen = async (...command: string[]) => (await tracer.exec(command)).stdout.toString().trim();
    t.is(await seen("ls", "-A", "/proc/1/root/"), "");
    t.is(await seen("readlink", "/proc/1/root"), "/");
    t.is(await seen("readlink", "/proc/1/cwd"), "/");
    t.is(await seen("wc", "-c", "/proc/1/environ"), "0 /proc/1/environ");
    t.is(await seen("sh", "-c", "cd /proc/1/fd; for each in *; do readlink $each; done | sort -u | sed 's/[0-9]//g'"), "pipe:[]");
    t.is(await seen("sh", "-c", "echo /proc/1/fd/*"), "/proc/1/fd/0 /proc/1/fd/1 /proc/1/fd/2");
    t.regex(
      await seen("cat", "/proc/1/mountinfo"),
      /^\d+ \d+ \S+ \/ \/ ro,nosuid,nodev\S* - tmpfs [^\n]*$/,
      "its root is all that is mounted",
    );
    t.regex(await seen("readlink", "/proc/1/exe"), /^\/berth-pod-init \(deleted\)$/);
    t.not((await tracer.exec(["sh", "-c", "echo x > /proc/1/exe"])).exit_code, 0);
    t.not((await tracer.exec(["sh", "-c", "echo x > /proc/1/root/file"])).exit_code, 0);
    t.is(await seen("sh", "-c", "kill -9 1; kill -11 1; kill -15 1; kill -19 1; sleep 0.1; cat /proc/1/comm"), NAME);

    const plain = await pod.start("plain", ["sleep", "1000"], asPod);
    for (const command of [
      "readlink /proc/1/root",
      "readlink /proc/1/exe",
      "readlink /proc/1/fd/0",
      "cat /proc/1/environ",
      "cat /proc/1/maps",
    ]) {
      t.not((await plain.exec(command.split(" "))).exit_code, 0, `${command} without SYS_PTRACE`);
    }
    await pod.remove();
  });

  test(`a container joins the PID namespace of its target (${runtime})`, async (t) => {
    const pod = await Pod.run(node(), {}, runtime);
    const target = await pod.start("target", ["sleep", "1001"], pid("CONTAINER"));
    const debug = await pod.start("debug", ["sleep", "1002"], targets(target));
    t.is(await pidNamespace(debug), await pidNamespace(target));
    t.is(await podInit(pod), undefined);
    const seen = (await debug.output("ps", "-o", "pid,args")).split("\n").map((line) => line.trim());
    t.true(seen.includes("1 sleep 1001"), seen.join("\n"));
    t.true(
      seen.some((line) => line.endsWith("sleep 1002")),
      seen.join("\n"),
    );
    const second = await pod.start("second", ["sleep", "1003"], targets(debug));
    t.is(await pidNamespace(second), await pidNamespace(target), "a target may have joined another");

    await debug.stop(5);
    t.like(await debug.status(), { exit_code: 143, reason: "Error" });
    t.is((await target.status()).state, "CONTAINER_RUNNING");
    // PID 1 of the namespace goes, and the kernel takes everything in it along.
    await target.stop();
    t.like(await second.reached("CONTAINER_EXITED"), { exit_code: 137 });
    await pod.remove();
  });

  test(`a container in the node's PID namespace sees the node, and is seen (${runtime})`, async (t) => {
    const pod = await Pod.run(node(), pid("NODE"), runtime);
    const container = await pod.start("one", ["sleep", "1000"], pid("NODE"));
    t.is(await pidNamespace(container), namespaceOf(process.pid, "pid"));
    t.is(await container.output("cat", `/proc/${await container.pid()}/comm`), "sleep");
    const same = await pod.start("same", ["sleep", "1000"], asPod);
    t.is(await pidNamespace(same), namespaceOf(process.pid, "pid"), "what such a pod shares is the node's");
    t.is(await podInit(pod), undefined);
    await container.stop(5);
    t.like(await container.status(), { exit_code: 143 });
    await pod.remove();
  });

  for (const mode of ["POD", "NODE", "TARGET"] as const) {
    test(`a container has exited when no process of it is left, also where it is not PID 1: ${mode} (${runtime})`, async (t) => {
      const pod = await Pod.run(node(), {}, runtime);
      const target = await pod.start("target", ["sleep", "1000"], pid("CONTAINER"));
      const leaver = await pod.create(
        "leaver",
        ["sh", "-c", "sleep 1000 & sleep 1000 >/dev/null 2>&1 & echo $! >/tmp/left; until [ -e /tmp/go ]; do sleep 0.05; done; exit 3"],
        mode === "TARGET" ? targets(target) : pid(mode),
      );
      await leaver.start();
      pathOf.set(leaver, await leaver.cgroupPath());
      await node().eventually("both are there", async () => (processes(leaver).length >= 3 ? true : undefined));
      const orphans = processes(leaver).map(Number);
      await leaver.output("touch", "/tmp/go");
      await node().eventually("it has exited", async () => {
        if ((await leaver.status()).state !== "CONTAINER_EXITED") return undefined;
        t.deepEqual(processes(leaver), []);
        return true;
      });
      for (const orphan of orphans) t.false(isRunning(orphan));
      t.like(await leaver.status(), { exit_code: 3, reason: "Error" });
      t.is((await target.status()).state, "CONTAINER_RUNNING");
      await pod.remove();
    });
  }

  test(`exec, stop signals and the OOM killer reach a container in the pod's PID namespace (${runtime})`, async (t) => {
    const pod = await Pod.run(node(), {}, runtime);
    const plain = await pod.start("plain", ["sleep", "1000"], asPod);
    const { stdout, exit_code } = await plain.exec(["sh", "-c", "echo out; exit 7"]);
    t.deepEqual({ stdout: stdout.toString(), exit_code }, { stdout: "out\n", exit_code: 7 });
    const late = await t.throwsAsync(plain.exec(["sh", "-c", "sleep 4321 & sleep 4321"], 1));
    t.like(late, { code: status.DEADLINE_EXCEEDED });
    await node().eventually("no such process is left", async () => ((await plain.output("ps")).includes("4321") ? undefined : true));

    const polite = await pod.start("polite", ["sh", "-c", "trap 'exit 5' TERM; echo ready; while :; do sleep 0.1; done"], asPod);
    await polite.logged(/ready/);
    await polite.stop(10);
    t.like(await polite.status(), { exit_code: 5 });
    const stubborn = await pod.start("stubborn", ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done"], asPod);
    await stubborn.logged(/ready/);
    await stubborn.stop(1);
    t.like(await stubborn.status(), { exit_code: 137 });

    const hungry = await pod.start("hungry", ["dd", "if=/dev/zero", "of=/dev/null", "bs=40M", "count=1"], {
      linux: { security_context: { namespace_options: { pid: "POD" } }, resources: { memory_limit_in_bytes: 16 * 1024 * 1024 } },
    });
    t.like(await hungry.reached("CONTAINER_EXITED"), { exit_code: 137, reason: "OOMKilled" });
    t.is((await plain.status()).state, "CONTAINER_RUNNING");
    await plain.stop(5);
    t.like(await plain.status(), { exit_code: 143 });
    await pod.remove();
  });
}

test("what is left to PID 1 of the pod is reaped", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sleep", "1000"], asPod);
  for (let round = 0; round < 20; round++) await container.output("sh", "-c", "(sleep 0.01 &) ; (true &)");
  const init = await requirePodInit(pod);
  await node().eventually("it has no child but none", async () =>
    readFileSync(`/proc/${init}/task/${init}/children`, "utf8").trim() === "" ? true : undefined,
  );
  t.false(/ Z /.test(await container.output("ps", "-o", "pid,stat,args")));
  await pod.remove();
});

test("containers that ask at the same time get the same namespace, and so do those after a restart of berthd", async (t) => {
  const pod = await Pod.run(node());
  const created = await Promise.all(["a", "b", "c", "d"].map((name) => pod.create(name, ["sleep", "1000"], asPod)));
  await Promise.all(created.map((each) => each.start()));
  t.is(new Set(await Promise.all(created.map(pidNamespace))).size, 1);
  await node().crash();
  await node().boot();
  const later = await pod.start("later", ["sleep", "1000"], asPod);
  t.is(await pidNamespace(later), namespaceOf(await requirePodInit(pod), "pid"));
  await pod.remove();
});

test("when PID 1 of the pod is killed its containers end, others live on, and the next one gets a new namespace", async (t) => {
  const pod = await Pod.run(node());
  const own = await pod.start("own", ["sleep", "1000"], pid("CONTAINER"));
  const victims = [await pod.start("one", ["sleep", "1000"], asPod), await pod.start("two", ["sleep", "1000"], asPod)];
  const init = await requirePodInit(pod);
  process.kill(init, "SIGKILL");
  for (const victim of victims) t.like(await victim.reached("CONTAINER_EXITED"), { exit_code: 137, reason: "Error" });
  t.is((await own.status()).state, "CONTAINER_RUNNING");
  const next = await pod.start("next", ["sleep", "1000"], asPod);
  t.not(await requirePodInit(pod), init);
  t.is(await pidNamespace(next), namespaceOf(await requirePodInit(pod), "pid"));
  await pod.remove();
});

test("a shim that is killed takes PID 1 of the pod and all in its namespace along", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sh", "-c", "sleep 1000 & sleep 1000"], asPod);
  pathOf.set(container, await container.cgroupPath());
  await node().eventually("its child is there", async () => (processes(container).length === 2 ? true : undefined));
  const all = [await requirePodInit(pod), ...processes(container).map(Number)];
  // Nobody is there to empty the cgroup: the kernel does it alone.
  await node().crash();
  process.kill(await shimPidOf(all[0] ?? 0), "SIGKILL");
  await node().eventually("all are gone", async () => (all.some(isRunning) ? undefined : true));
  await node().boot();
  t.like(await container.reached("CONTAINER_EXITED"), { exit_code: 137, reason: "ShimLost" });
  await pod.remove();
});

const shimPidOf = async (init: number): Promise<number> => Number(statusOf(init)["PPid"]);

test("where berth-pod-init is not installed, the start fails and says so, and other containers go on", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "berth-"));
  const shim = join(folder, "berth-shim");
  for (const name of ["berth-shim", "berth-runtime"]) await copyFile(join(programs, name), join(folder, name));
  const bare = await TestNode.start(t, { flags: ["--shim", shim, "--bridge", "berth1", "--pod-subnet", "10.89.0.0/16"] });
  const pod = await Pod.run(bare);
  const container = await pod.create("one", ["sleep", "1000"], asPod);
  const failure = await t.throwsAsync(container.start());
  t.regex(String(failure?.message), new RegExp(`start PID 1 of the pod: copy ${folder}/${NAME}: No such file`));
  t.like(await container.status(), { state: "CONTAINER_EXITED", reason: "StartError" });
  t.is(await podInit(pod), undefined);
  const own = await pod.start("own", ["sleep", "1000"]);
  // The shim is back in its own namespace: PID 1 is the program, when it has taken the place of the runtime.
  await bare.eventually("PID 1 is the program", async () => ((await own.output("cat", "/proc/1/comm")) === "sleep" ? true : undefined));
  await pod.remove();
  t.teardown(() => rm(folder, { recursive: true }));
});

test("a target that does not run, is of another pod or is not there is refused", async (t) => {
  const [pod, other] = [await Pod.run(node()), await Pod.run(node())];
  const [stranger, created, ended] = [
    await other.start("stranger", ["sleep", "1000"]),
    await pod.create("created", ["sleep", "1000"]),
    await pod.start("ended", ["true"]),
  ];
  await ended.reached("CONTAINER_EXITED");
  const refusal = (config: Message) => t.throwsAsync(pod.create("debug", ["sleep", "1000"], config));
  t.like(await refusal(targets(stranger)), { code: status.INVALID_ARGUMENT });
  t.like(await refusal(pid("TARGET", { target_id: "f".repeat(64) })), { code: status.INVALID_ARGUMENT });
  t.like(await refusal(pid("TARGET")), { code: status.INVALID_ARGUMENT });
  t.like(await refusal(targets(created)), { code: status.FAILED_PRECONDITION });
  t.like(await refusal(targets(ended)), { code: status.FAILED_PRECONDITION });

  const target = await pod.start("target", ["sleep", "1000"]);
  const late = await pod.create("late", ["sleep", "1000"], targets(target));
  await target.stop();
  const failure = await t.throwsAsync(late.start());
  t.like(failure, { code: status.FAILED_PRECONDITION });
  t.regex(String(failure?.message), new RegExp(`${target.id}: it is exited`));
  t.like(await late.status(), { state: "CONTAINER_EXITED", reason: "StartError" });
  for (const each of [pod, other]) await each.remove();
});

test("a pod's status says the PID mode that it was asked for; a target is none of a pod's", async (t) => {
  const mode = async (config: Message): Promise<string> => {
    const pod = await Pod.run(node(), config);
    const { linux } = (await pod.status()).status as unknown as { linux: { namespaces: { options: { pid: string } } } };
    await pod.remove();
    return linux.namespaces.options.pid;
  };
  t.is(await mode({}), "POD");
  for (const each of ["POD", "CONTAINER", "NODE"]) t.is(await mode(pid(each)), each);
  t.like(await t.throwsAsync(Pod.run(node(), pid("TARGET", { target_id: "f".repeat(64) }))), { code: status.INVALID_ARGUMENT });
});
