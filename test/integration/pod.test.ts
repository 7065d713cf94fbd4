// A pod from its image to its end, by the CRI alone, with each OCI runtime that is installed.
import { existsSync, readdirSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { kernelObjectsOf, namespaceOf } from "../lib/kernel.ts";
import { TestNode } from "../lib/node.ts";
import { Pod } from "../lib/pods.ts";
import { RUNTIMES } from "../lib/runtimes.ts";
import { shared } from "../lib/teardown.ts";

const node = shared(test, (t) => TestNode.start(t));

for (const runtime of RUNTIMES) {
  test(`a pod of two containers lives and goes, and leaves nothing (${runtime})`, async (t) => {
    const instanceId = await node().instanceId();
    const before = kernelObjectsOf(node().folder, instanceId);
    const pod = await Pod.run(node(), {}, runtime);
    t.is((await pod.status()).status.state, "SANDBOX_READY");
    const web = await pod.create("web", ["berth-demo", "serve", "--port", "8080"]);
    t.is((await web.status()).state, "CONTAINER_CREATED");
    await web.start();
    t.is((await web.status()).state, "CONTAINER_RUNNING");
    const client = await pod.start("client", ["sleep", "1000"]);

    const [webPid, clientPid] = [await web.pid(), await client.pid()];
    for (const kind of ["net", "ipc", "uts"]) {
      t.is(namespaceOf(webPid, kind), namespaceOf(clientPid, kind), `${kind} is the pod's`);
      t.not(namespaceOf(webPid, kind), namespaceOf(process.pid, kind), `${kind} is not the node's`);
    }
    for (const kind of ["pid", "mnt"]) t.not(namespaceOf(webPid, kind), namespaceOf(clientPid, kind), `${kind} is the container's`);

    t.regex(await client.output("berth-demo", "fetch", "--count", "1", "http://localhost:8080/"), /ms/);
    await web.logged(/^stdout F .*listening on port 8080/);

    await web.stop(5);
    const { state, exit_code, reason } = await web.status();
    t.deepEqual({ state, exit_code, reason }, { state: "CONTAINER_EXITED", exit_code: 0, reason: "Completed" });
    await web.remove();
    t.is(await codeOf(web.status()), 5);
    await pod.stop();
    t.is((await pod.status()).status.state, "SANDBOX_NOTREADY");
    t.is((await client.status()).state, "CONTAINER_EXITED");
    await pod.remove();
    t.is(await codeOf(pod.status()), 5);

    t.deepEqual(readdirSync(join(node().state, "pods")), []);
    t.deepEqual(readdirSync(join(node().root, "containers")), []);
    // A shim answers before it ends.
    const left = () => kernelObjectsOf(node().folder, instanceId).filter((line) => !before.includes(line));
    await node().eventually(`nothing is left: ${left()}`, async () => (left().length === 0 ? true : undefined));
    t.deepEqual(kernelObjectsOf(node().folder, instanceId), before);
  });
}

test("pods reach each other by their addresses", async (t) => {
  const [one, other] = [await Pod.run(node()), await Pod.run(node())];
  await one.start("web", ["berth-demo", "serve", "--port", "80"]);
  const client = await other.start("client", ["sleep", "1000"]);
  const address = await one.address();
  t.regex(address, /^10\.88\.\d+\.\d+$/);
  t.not(address, await other.address());
  t.regex(await client.output("berth-demo", "fetch", "--count", "1", `http://${address}:80/`), /ms/);
  for (const pod of [one, other]) await pod.remove();
});

test("both streams of a container are in its log, line by line", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("talker", ["sh", "-c", "echo out; echo err >&2; printf unfinished"]);
  const { log_path } = await container.reached("CONTAINER_EXITED");
  t.true(existsSync(log_path));
  t.deepEqual((await container.log()).sort(), ["stderr F err", "stdout F out", "stdout P unfinished"]);
  await pod.remove();
});

test("a container that fills the pod's files in /etc fills their own place, and not the node's", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sleep", "1000"]);
  const { exit_code, stderr } = await container.exec(["dd", "if=/dev/zero", "of=/etc/hosts", "bs=1M", "count=10"]);
  t.not(exit_code, 0);
  t.regex(stderr.toString(), /No space left on device/);
  t.true(Number(await container.output("stat", "-c", "%s", "/etc/hosts")) <= 1024 * 1024);
  await node().crash();
  await node().boot();
  await container.output("sh", "-c", "echo 127.0.0.1 here >/etc/hosts");
  const later = await pod.start("later", ["sleep", "1000"]);
  t.is(await later.output("cat", "/etc/hosts"), "127.0.0.1 here", "its containers share them, also after a restart of berthd");
  await pod.remove();
});

test("a container sees the pod's name, and its own environment, folder and user", async (t) => {
  const pod = await Pod.run(node(), {
    hostname: "harbour",
    dns_config: { servers: ["10.0.0.53"], searches: ["example.test"], options: ["ndots:3"] },
  });
  const container = await pod.start("one", ["sleep", "1000"], {
    working_dir: "/tmp",
    envs: [{ key: "GREETING", value: Buffer.from("good morning") }],
    linux: { security_context: { run_as_username: "tester" } },
  });
  t.is(await container.output("hostname"), "harbour");
  t.is(await container.output("sh", "-c", "echo $GREETING"), "good morning");
  t.is(await container.output("pwd"), "/tmp");
  t.is(await container.output("id"), "uid=1000(tester) gid=1000(tester) groups=1000(tester),2000(readers)");
  t.is(await container.output("cat", "/etc/resolv.conf"), "nameserver 10.0.0.53\nsearch example.test\noptions ndots:3");
  t.regex(await container.output("cat", "/etc/hosts"), new RegExp(`^${await pod.address()}\\tharbour$`, "m"));
  await pod.remove();
});

test("in a root that is read-only nothing can be written, the pod's own files in /etc among it", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sleep", "1000"], { linux: { security_context: { readonly_rootfs: true } } });
  for (const file of ["/new", "/etc/hosts", "/etc/resolv.conf"]) {
    t.regex((await container.exec(["sh", "-c", `echo x >> ${file}`])).stderr.toString(), /Read-only file system/, file);
  }
  await pod.remove();
});

test("a mount below another is seen, whatever their order", async (t) => {
  const [outer, inner] = [join(node().folder, "outer"), join(node().folder, "inner")];
  for (const folder of [join(outer, "sub"), inner]) await mkdir(folder, { recursive: true });
  await writeFile(join(inner, "here"), "");
  const pod = await Pod.run(node());
  const mounts = [
    { host_path: inner, container_path: "/data/sub/" },
    { host_path: outer, container_path: "/data" },
  ];
  const container = await pod.start("one", ["sleep", "1000"], { mounts });
  t.is(await container.output("ls", "/data/sub"), "here");
  await pod.remove();
});

test("stopping and removing what is not there is success", async (t) => {
  const missing = "0".repeat(64);
  await t.notThrowsAsync(node().cri.call("StopContainer", { container_id: missing, timeout: 0 }));
  await t.notThrowsAsync(node().cri.call("RemoveContainer", { container_id: missing }));
  await t.notThrowsAsync(node().cri.call("StopPodSandbox", { pod_sandbox_id: missing }));
  await t.notThrowsAsync(node().cri.call("RemovePodSandbox", { pod_sandbox_id: missing }));
});

test("a stop that comes right after the start is heard", async (t) => {
  const pod = await Pod.run(node());
  for (let round = 0; round < 5; round++) {
    const name = `round-${round}`;
    const container = await pod.start(name, ["sh", "-c", "trap 'exit 5' TERM; while :; do sleep 0.05; done"]);
    await container.stop(30);
    t.is((await container.status()).exit_code, 5);
  }
  await pod.remove();
});

test("a process that ignores the stop signal is killed after its grace period", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("stubborn", ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done"]);
  await container.logged(/ready/);
  await container.stop(1);
  const { exit_code, reason } = await container.status();
  t.deepEqual({ exit_code, reason }, { exit_code: 137, reason: "Error" });
  await pod.remove();
});

async function codeOf(call: Promise<unknown>): Promise<number | undefined> {
  return await call.then(
    () => undefined,
    (failure: { code?: number }) => failure.code,
  );
}
