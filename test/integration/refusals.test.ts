// What can't be done is refused with the code that tells the caller what to do, in words that name the cause; nothing is left.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import test from "ava";
import { TestNode } from "../lib/node.ts";
import { Pod } from "../lib/pods.ts";
import { shared } from "../lib/teardown.ts";

const node = shared(test, (t) => TestNode.start(t));

for (const runtime of ["crun", "runc"]) {
  test(`a command that is not there fails the start, and the container says why (${runtime})`, async (t) => {
    const pod = await Pod.run(node(), {}, runtime);
    const container = await pod.create("one", ["/no/such/command"]);
    const failure = await t.throwsAsync(container.start());
    t.like(failure, { code: status.INVALID_ARGUMENT });
    t.regex(String(failure?.message), /no\/such\/command|no such file|not found/i);
    const { state, exit_code, reason, message } = await container.status();
    t.deepEqual({ state, exit_code, reason }, { state: "CONTAINER_EXITED", exit_code: 128, reason: "StartError" });
    t.not(message, "");
    await container.remove();
    await pod.remove();
  });
}

test("a container of an image that is not here is refused", async (t) => {
  const pod = await Pod.run(node());
  const failure = await t.throwsAsync(pod.create("one", ["true"], { image: { image: "nowhere.example/none:1" } }));
  t.like(failure, { code: status.NOT_FOUND });
  t.regex(String(failure?.message), /nowhere\.example\/none:1.*pull it first/);
  t.deepEqual(readdirSync(join(node().root, "containers")), []);
  await pod.remove();
});

test("a mount of a path that is not there is refused", async (t) => {
  const pod = await Pod.run(node());
  const failure = await t.throwsAsync(pod.create("one", ["true"], { mounts: [{ host_path: "/no/such/folder", container_path: "/data" }] }));
  t.like(failure, { code: status.INVALID_ARGUMENT });
  t.regex(String(failure?.message), /\/no\/such\/folder/);
  await pod.remove();
});

test("a name that is in use is refused; a retry at the same time gets the same pod", async (t) => {
  const config = { metadata: { name: "twice", namespace: "test", uid: "1", attempt: 0 } };
  const pods = await Promise.all([Pod.run(node(), config), Pod.run(node(), config)]);
  t.is(pods[0].id, pods[1].id);
  t.like(await t.throwsAsync(Pod.run(node(), config)), { code: status.ALREADY_EXISTS });
  await pods[0].remove();
});

test("an unknown runtime handler is refused, and those that are known are named", async (t) => {
  const failure = await t.throwsAsync(Pod.run(node(), {}, "gvisor"));
  t.like(failure, { code: status.INVALID_ARGUMENT });
  t.regex(String(failure?.message), /gvisor.*crun/);
});

test("a started container can't be started again", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sleep", "1000"]);
  t.like(await t.throwsAsync(container.start()), { code: status.FAILED_PRECONDITION });
  await pod.remove();
});

test("a container in a stopped pod is refused", async (t) => {
  const pod = await Pod.run(node());
  await pod.stop();
  t.like(await t.throwsAsync(pod.create("one", ["true"])), { code: status.FAILED_PRECONDITION });
  await pod.remove();
});

for (const [call, request] of [
  ["PodSandboxStatus", { pod_sandbox_id: "f".repeat(64) }],
  ["ContainerStatus", { container_id: "f".repeat(64) }],
  ["StartContainer", { container_id: "f".repeat(64) }],
  ["ExecSync", { container_id: "f".repeat(64), cmd: ["true"] }],
  ["ContainerStats", { container_id: "f".repeat(64) }],
  ["PodSandboxStats", { pod_sandbox_id: "f".repeat(64) }],
  ["CreateContainer", { pod_sandbox_id: "f".repeat(64), config: { metadata: { name: "a" }, image: { image: "a" } } }],
] as const) {
  test(`${call} of an unknown id is not found`, async (t) => {
    t.like(await t.throwsAsync(node().cri.call(call, request)), { code: status.NOT_FOUND });
  });
}

for (const [what, config] of [
  ["without metadata", { metadata: null }],
  ["with a host name of two lines", { hostname: "a\nb" }],
  ["with a log folder that is no absolute path", { log_directory: "logs" }],
  ["with a cgroup parent that leads out", { linux: { cgroup_parent: "/a/../.." } }],
  ["with a network that is not known", { annotations: { "berth.io/network": "warp" } }],
] as const) {
  test(`a pod ${what} is an invalid argument`, async (t) => {
    t.like(await t.throwsAsync(Pod.run(node(), config)), { code: status.INVALID_ARGUMENT });
    t.deepEqual(readdirSync(join(node().state, "pods")), []);
  });
}
