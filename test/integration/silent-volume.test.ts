// A volume whose file system does not answer holds up the container that wants it, and nobody else.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import test from "ava";
import { programMount } from "../lib/c-program.ts";
import { TestNode } from "../lib/node.ts";
import { Pod } from "../lib/pods.ts";
import { shared } from "../lib/teardown.ts";

const node = shared(test, (t) => TestNode.start(t));
const folder = shared(test, async (t) => {
  const place = await mkdtemp(join(tmpdir(), "berth-silent-"));
  const { host_path: program } = await programMount(t, "silent-fs.c");
  const server = spawn(String(program), [place], { stdio: ["ignore", "pipe", "inherit"] });
  t.teardown(async () => {
    const gone = once(server, "exit");
    server.kill("SIGKILL");
    await gone;
    execFileSync("umount", ["--lazy", place]);
    await rmdir(place);
  });
  await once(server.stdout, "data");
  return place;
});

test("a container with such a volume is refused in time and leaves nothing, and others are made meanwhile, many volumes or not", async (t) => {
  const pod = await Pod.run(node());
  const mounts = [{ container_path: "/data", host_path: folder() }];
  const asked = Array.from({ length: 6 }, (_, number) => pod.create(`silent-${number}`, ["true"], { mounts }));
  const failures = Promise.allSettled(asked);
  const other = await Pod.run(node());
  const container = await other.start("one", ["sleep", "1000"], { mounts: [{ container_path: "/data", host_path: "/usr" }] });
  t.is(await container.output("echo", "well"), "well");
  for (const result of await failures) {
    const reason = result.status === "rejected" ? result.reason : undefined;
    t.like(reason, { code: status.DEADLINE_EXCEEDED });
    t.regex(String(reason?.message), /mount .*berth-silent-.* at \/data: its file system has not answered for 10000 ms/);
  }
  t.deepEqual(await node().cri.call("ListContainers", { filter: { pod_sandbox_id: pod.id } }), { containers: [] });
  for (const each of [pod, other]) await each.remove();
});
