// An OCI runtime that hangs holds up its own container, for a while: then it is killed, and the pod goes on.
import { readdirSync, readFileSync } from "node:fs";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import test from "ava";
import { kernelObjectsOf } from "../lib/kernel.ts";
import { TestNode } from "../lib/node.ts";
import { type Container, Pod } from "../lib/pods.ts";
import { shared } from "../lib/teardown.ts";

// crun, but for one verb: deaf to SIGTERM it hangs with a child before it, or after crun has done what was asked. It leaves what a crun
// leaves that is killed while it makes a place for a copy of itself.
const RUNTIME = `#!/bin/sh
folder=$(dirname "$0")
case "$*" in *" $(cat "$folder/verb") "*) ;; *) exec crun "$@" ;; esac
trap '' TERM
: > "$_LIBCONTAINER_STATEDIR/crun.killed"
mount --bind /bin/sh "$_LIBCONTAINER_STATEDIR/crun.killed"
[ "$(cat "$folder/when")" = before ] || crun "$@"
sleep 98765 &
sleep 98765
`;

const folder = shared(test, async (t) => {
  const path = await mkdtemp(join(tmpdir(), "berth-"));
  t.teardown(() => rm(path, { recursive: true }));
  await writeFile(join(path, "runtime"), RUNTIME);
  await chmod(join(path, "runtime"), 0o755);
  await hang(path, "none", "before");
  return path;
});
const node = shared(test, (t) => TestNode.start(t, { flags: ["--runtime", join(folder(), "runtime"), "--runtime-timeout", "1"] }));

async function hang(path: string, verb: string, when: "before" | "after"): Promise<void> {
  await writeFile(join(path, "verb"), verb);
  await writeFile(join(path, "when"), when);
}

const hanging = (): string[] =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "latin1").includes("98765");
      } catch {
        return false;
      }
    });

const CALLS: Readonly<Record<string, (container: Container) => Promise<unknown>>> = {
  create: (container) => container.start(),
  start: (container) => container.start(),
  exec: (container) => container.exec(["sleep", "1000"]),
};

/** And `left`, what the kernel has more than now. */
async function podWithWitness(): Promise<{ pod: Pod; witness: Container; left: () => string[] }> {
  const instanceId = await node().instanceId();
  const pod = await Pod.run(node());
  const witness = await pod.start("witness", ["sleep", "1000"]);
  // What a pod gets with its first exec stays as long as the pod.
  await witness.output("true");
  const before = kernelObjectsOf(node().folder, instanceId);
  return { pod, witness, left: () => kernelObjectsOf(node().folder, instanceId).filter((line) => !before.includes(line)) };
}

for (const [when, verbs] of [
  ["before", ["create", "start", "exec"]],
  ["after", ["create", "start"]],
] as const) {
  for (const verb of verbs) {
    test(`a runtime that hangs ${when} its ${verb} is killed, and its container can be removed`, async (t) => {
      const { pod, witness, left } = await podWithWitness();
      const container = await pod.create("one", ["sleep", "1000"]);
      if (verb === "exec") await container.start();

      await hang(folder(), verb, when);
      const call = t.throwsAsync(CALLS[verb]?.(container) ?? Promise.resolve());
      await node().eventually("the runtime hangs", async () => (hanging().length > 0 ? true : undefined));
      if (verb !== "exec") t.is(await witness.output("echo", "alive"), "alive", "others go on meanwhile");
      const failure = await call;
      t.like(failure, { code: status.DEADLINE_EXCEEDED });
      t.regex(String(failure?.message), new RegExp(`${container.id}.*oci ${verb}: the OCI runtime did not end within 1s and was killed`));
      await node().eventually("the runtime is gone", async () => (hanging().length === 0 ? true : undefined));
      if (verb === "create" || verb === "start")
        t.like(await container.status(), { state: "CONTAINER_EXITED", exit_code: 128, reason: "StartError" });

      await container.stop();
      await container.remove();
      await node().eventually(`nothing is left: ${left()}`, async () => (left().length === 0 ? true : undefined));
      const places = () => readdirSync(join(node().state, "pods", pod.id)).filter((name) => name.startsWith("crun."));
      await node().eventually("no place of a copy is left", async () => (places().length === 0 ? true : undefined));
      await hang(folder(), "none", "before");
      t.is(await witness.output("echo", "alive"), "alive");
      await pod.remove();
    });
  }
}

test("a runtime that hangs before its delete, when the container has ended, is killed, and the container can be removed", async (t) => {
  const { pod, witness, left } = await podWithWitness();
  const container = await pod.start("one", ["sleep", "1000"]);
  await hang(folder(), "delete", "before");
  await container.stop();
  t.is((await container.status()).state, "CONTAINER_EXITED");
  await node().eventually("the runtime hangs", async () => (hanging().length > 0 ? true : undefined));
  t.is(await witness.output("echo", "alive"), "alive", "others go on meanwhile");
  await node().eventually("the runtime is gone", async () => (hanging().length === 0 ? true : undefined));
  const log = readFileSync(join(node().state, "pods", pod.id, "shim.log"), "utf8");
  t.regex(log, new RegExp(`${container.id}.*oci delete: the OCI runtime did not end within 1s and was killed`));
  await container.remove();
  await node().eventually(`nothing is left: ${left()}`, async () => (left().length === 0 ? true : undefined));
  await hang(folder(), "none", "before");
  await pod.remove();
});
