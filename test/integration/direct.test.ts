// What Berth's own OCI runtime does in another way than others: one call starts a container, and says how the start went.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import test from "ava";
import { berthOf } from "../lib/berth.ts";
import { childrenOf } from "../lib/children.ts";
import type { Message } from "../lib/cri.ts";
import { kernelObjectsOf } from "../lib/kernel.ts";
import { TestNode } from "../lib/node.ts";
import { Pod } from "../lib/pods.ts";
import { shared } from "../lib/teardown.ts";

const HOOKS = ["createRuntime", "createContainer", "startContainer"] as const;
// The name of a program of the node and of the image alike.
const WAITING = ["/bin/sleep", "87654"] as const;

const node = shared(test, async (t) => {
  const made = await TestNode.start(t, { flags: ["--runtime", "direct"], specDirs: ["cdi"] });
  await mkdir(join(made.folder, "cdi"));
  const devices = HOOKS.map((hookName) => ({
    name: hookName,
    containerEdits: { hooks: [{ hookName, path: WAITING[0], args: WAITING }] },
  }));
  await writeFile(join(made.folder, "cdi", "waits.json"), JSON.stringify({ cdiVersion: "0.7.0", kind: "test.com/waits", devices }));
  await writeFile(join(made.folder, "no-program"), "no program\n", { mode: 0o755 });
  await writeFile(join(made.folder, "script"), "#!/no/such/interpreter\n", { mode: 0o755 });
  return made;
});
const { succeeds } = berthOf(node);

/** A pod, and what the kernel has more than with it alone, and what the runtime keeps of its containers. */
async function podAlone(config: Message = {}): Promise<{ pod: Pod; left: () => string[] }> {
  const instanceId = await node().instanceId();
  const pod = await Pod.run(node(), config);
  const witness = await pod.start("witness", ["sleep", "1000"]);
  const before = kernelObjectsOf(node().folder, instanceId);
  const kept = join(node().state, "pods", pod.id, "runtime");
  const left = () => [
    ...kernelObjectsOf(node().folder, instanceId).filter((line) => !before.includes(line)),
    ...readdirSync(kept).filter((id) => id !== witness.id),
  ];
  return { pod, left };
}

for (const [what, command, config, words] of [
  ["is not there", "/nope", () => ({}), /exec "\/nope": No such file or directory/],
  ["is not in the PATH", "nope", () => ({}), /exec "nope": No such file or directory/],
  ["may not be run", "/etc/passwd", () => ({}), /exec "\/etc\/passwd": Permission denied/],
  [
    "is no program",
    "/no-program",
    () => ({ mounts: [{ container_path: "/no-program", host_path: join(node().folder, "no-program") }] }),
    /exec "\/no-program": Exec format error/,
  ],
  [
    "is a script without its interpreter",
    "/script",
    () => ({ mounts: [{ container_path: "/script", host_path: join(node().folder, "script") }] }),
    /exec "\/script": No such file or directory/,
  ],
  ["is to begin in what is no folder", "pwd", () => ({ working_dir: "/etc/passwd" }), /\/etc\/passwd.*: Not a directory/],
] as const satisfies readonly (readonly [string, string, () => Message, RegExp])[]) {
  test(`a command that ${what} fails the start, which says so, and nothing of it is left`, async (t) => {
    const { pod, left } = await podAlone();
    const container = await pod.create("one", [command], config());
    const failure = await t.throwsAsync(container.start(), { code: status.INVALID_ARGUMENT });
    t.regex(failure.message, /oci run: /);
    t.regex(failure.message, words);
    t.like(await container.status(), { state: "CONTAINER_EXITED", reason: "StartError", exit_code: 128 });
    await container.remove();
    t.deepEqual(left(), []);
    await pod.remove();
  });
}

test("a start is one call of the runtime", async (t) => {
  const pod = await Pod.run(node(), { metadata: { name: "timed", namespace: "test", uid: "timed", attempt: 0 } });
  await pod.start("one", ["sleep", "1000"]);
  const timeline = await succeeds("timeline", "timed");
  t.regex(timeline, /container one: oci run/);
  t.notRegex(timeline, /oci (create|start)/);
  await pod.remove();
});

test("a command that ends before anybody looks has run, in the pod's PID namespace too", async (t) => {
  for (const pid of ["CONTAINER", "POD"]) {
    const linux = { security_context: { namespace_options: { pid } } };
    const pod = await Pod.run(node(), { linux });
    for (let count = 0; count < 5; count++) {
      const container = await pod.start(`one-${count}`, ["sh", "-c", "echo said; exit 3"], { linux, tty: count === 0 });
      t.like(await container.reached("CONTAINER_EXITED"), { exit_code: 3, reason: "Error" });
      t.deepEqual(
        (await container.log()).map((line) => line.trim()),
        ["stdout F said"],
      );
    }
    await pod.remove();
  }
});

const waiting = (): string[] =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && existsSync(`/proc/${name}/cmdline`))
    .filter((pid) => commandOf(pid) === WAITING.join(" "));

function commandOf(pid: number | string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1").replaceAll("\0", " ").trim();
  } catch {
    return "";
  }
}

for (const hook of HOOKS) {
  test(`a runtime that is killed in the middle of a start leaves nothing of the container: while it waits for a ${hook} hook`, async (t) => {
    const { pod, left } = await podAlone();
    const { shimPid } = JSON.parse((await pod.status()).info["info"] ?? "{}") as { shimPid: number };
    const container = await pod.create("one", ["sleep", "1000"], { CDI_devices: [{ name: `test.com/waits=${hook}` }] });
    const start = t.throwsAsync(container.start());
    const runtime = await node().eventually("the hook waits", async () =>
      waiting().length === 0 ? undefined : (await childrenOf(shimPid)).find((pid) => /berth-runtime .* run /.test(commandOf(pid))),
    );
    process.kill(runtime, "SIGKILL");
    t.regex(String(await start), /oci run: /);
    t.like(await container.status(), { state: "CONTAINER_EXITED", reason: "StartError", exit_code: 128 });
    await container.remove();
    // This one is the node's, in no cgroup of the pod's.
    if (hook === "createRuntime") for (const pid of waiting()) process.kill(Number(pid), "SIGKILL");
    t.deepEqual(waiting(), []);
    t.deepEqual(left(), []);
    await pod.remove();
  });
}
