// A start whose command can't be run says which and why; and a name is used once.
import { execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import test from "ava";
import { TestNode } from "../lib/node.ts";
import { Pod } from "../lib/pods.ts";
import { RUNTIMES } from "../lib/runtimes.ts";
import { shared } from "../lib/teardown.ts";

const node = shared(test, (t) => TestNode.start(t));

// A folder of the node's, with files that can't be run.
const commands = shared(test, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "berth-"));
  t.teardown(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, "plain"), "text", { mode: 0o644 });
  await writeFile(join(folder, "script"), "#!/no/such/interpreter\n", { mode: 0o755 });
  return folder;
});

for (const runtime of RUNTIMES) {
  for (const [what, command, why] of [
    ["is not there", "/no/such/command", /no such file|not found/i],
    ["may not be run", "/commands/plain", /permission denied|not found in \$PATH|not executable/i],
  ] as const) {
    test(`a command that ${what} fails the start, and the container says why (${runtime})`, async (t) => {
      const pod = await Pod.run(node(), {}, runtime);
      const mounts = [{ host_path: commands(), container_path: "/commands", readonly: true }];
      const container = await pod.create("one", [command], { mounts });
      const failure = await t.throwsAsync(container.start());
      t.like(failure, { code: status.INVALID_ARGUMENT });
      const { state, exit_code, reason, message } = await container.status();
      t.deepEqual({ state, exit_code, reason }, { state: "CONTAINER_EXITED", exit_code: 128, reason: "StartError" });
      for (const words of [String(failure?.message), message]) {
        t.true(words.includes(command), words);
        t.regex(words, why);
      }
      await container.remove();
      await pod.remove();
    });
  }

  // Ours alone sees it fail.
  if (runtime === "direct") continue;
  // The kernel refuses it when the runtime has done its part: as elsewhere, that is the end of a container that was started.
  test(`a command whose interpreter is not there ends at once, and its log says why (${runtime})`, async (t) => {
    const pod = await Pod.run(node(), {}, runtime);
    const mounts = [{ host_path: commands(), container_path: "/commands", readonly: true }];
    const container = await pod.start("one", ["/commands/script"], { mounts });
    t.like(await container.reached("CONTAINER_EXITED"), { exit_code: 1, reason: "Error" });
    t.regex((await container.log()).join("\n"), /\/commands\/script.*no such file/i);
    await pod.remove();
  });
}

test("a name that is in use in a pod is refused; a retry at the same time gets the same container", async (t) => {
  const pod = await Pod.run(node());
  const [one, other] = await Promise.all([pod.create("one", ["true"]), pod.create("one", ["true"])]);
  t.is(one.id, other.id);
  const failure = await t.throwsAsync(pod.create("one", ["true"]));
  t.like(failure, { code: status.ALREADY_EXISTS });
  t.regex(String(failure?.message), new RegExp(`one attempt 0 of pod ${pod.id} is container ${one.id}`));
  t.not((await pod.create("one", ["true"], { metadata: { name: "one", attempt: 1 } })).id, one.id);
  await one.remove();
  t.not((await pod.create("one", ["true"])).id, one.id, "a name is free again");
  await pod.remove();
});

test("a pod may start container after container: of those that are gone nothing stays where the runtime looks for cgroups", async (t) => {
  const pod = await Pod.run(node(), {}, "crun");
  const { shimPid } = JSON.parse((await pod.status()).info["info"] ?? "{}") as { shimPid: number };
  const named = (id: string): string =>
    execFileSync("nsenter", ["-t", String(shimPid), "-m", "find", "/sys/fs/cgroup", "-name", id], { encoding: "utf8" });
  const container = await pod.start("one", ["true"]);
  await container.reached("CONTAINER_EXITED");
  await container.remove();
  t.is(named(container.id), "");
  await pod.remove();
});
