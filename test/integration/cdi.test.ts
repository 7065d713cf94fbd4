// Devices of the Container Device Interface, on real containers.
import { execFile } from "node:child_process";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { status } from "@grpc/grpc-js";
import test from "ava";
import { TestNode } from "../lib/node.ts";
import { Pod } from "../lib/pods.ts";
import { RUNTIMES } from "../lib/runtimes.ts";
import { shared } from "../lib/teardown.ts";

const MARK = "mark of the host";

interface Place {
  readonly node: TestNode;
  readonly folder: string;
}

const place = shared<Place>(test, async (t) => {
  const node = await TestNode.start(t, { specDirs: ["cdi", "cdi-run"] });
  const folder = join(node.folder, "device");
  await mkdir(folder);
  await promisify(execFile)("mknod", [join(folder, "null"), "c", "1", "3"]);
  await writeFile(join(folder, "library"), MARK);
  // The state of the container comes in by its input. @source OCI runtime specification, "POSIX-platform Hooks"
  const hook = join(folder, "hook");
  await writeFile(hook, '#!/bin/sh\ncat > "$1/state"\nenv > "$1/env"\n', { mode: 0o755 });
  await chmod(hook, 0o755);
  await mkdir(join(node.folder, "cdi"));
  await writeFile(
    join(node.folder, "cdi", "vendor.yaml"),
    `
cdiVersion: 0.7.0
kind: vendor.com/gpu
containerEdits:
  env: [ "DRIVER=loaded", "PATH=/vendor:/bin" ]
  mounts:
    - { hostPath: ${folder}/library, containerPath: /usr/lib/vendor/library, options: [ ro, nosuid, nodev, rbind ] }
devices:
  - name: gpu0
    containerEdits:
      env: [ "GPU=0" ]
      additionalGids: [ 4444 ]
      deviceNodes: [ { path: /dev/gpu0, hostPath: ${folder}/null } ]
  - name: read
    containerEdits:
      deviceNodes: [ { path: /dev/gpu-read, hostPath: /dev/kmsg, permissions: r } ]
  - name: hooked
    containerEdits:
      hooks: [ { hookName: createRuntime, path: ${hook}, args: [ hook, ${folder} ], env: [ "OWN=1", "PATH=/usr/bin:/bin" ], timeout: 20 } ]
  - name: refuses
    containerEdits:
      hooks: [ { hookName: createRuntime, path: /bin/false } ]
  - name: gone-mount
    containerEdits:
      mounts: [ { hostPath: ${folder}/no-library, containerPath: /library } ]
  - name: gone
    containerEdits:
      deviceNodes: [ { path: ${folder}/not-there } ]
`,
  );
  await writeFile(join(node.folder, "cdi", "broken.json"), "{");
  return { node, folder };
});

const asked = (...names: string[]) => ({ CDI_devices: names.map((name) => ({ name: `vendor.com/gpu=${name}` })) });

for (const runtime of RUNTIMES) {
  test(`a container has a device with all that its vendor says, and a command in it too (${runtime})`, async (t) => {
    const pod = await Pod.run(place().node, {}, runtime);
    const linux = { security_context: { run_as_user: { value: 1000 } } };
    const container = await pod.start("one", ["sleep", "1000"], { ...asked("gpu0"), linux });
    t.is(await container.output("sh", "-c", "echo $DRIVER $GPU $PATH"), "loaded 0 /vendor:/bin");
    t.is(await container.output("stat", "-c", "%F %t:%T %a %u", "/dev/gpu0"), "character special file 1:3 666 1000");
    t.is(await container.output("sh", "-c", ": > /dev/gpu0 && cat /dev/gpu0 && echo used"), "used");
    t.is(await container.output("cat", "/usr/lib/vendor/library"), MARK);
    t.not((await container.exec(["sh", "-c", ": > /usr/lib/vendor/library"])).exit_code, 0);
    t.true((await container.output("id", "-G")).split(" ").includes("4444"));
    await pod.remove();
  });

  test(`a device can be used as far as its vendor says (${runtime})`, async (t) => {
    const pod = await Pod.run(place().node, {}, runtime);
    const linux = { security_context: { capabilities: { add_capabilities: ["SYSLOG"] } } };
    const container = await pod.start("one", ["sleep", "1000"], { ...asked("read"), linux });
    t.is(await container.output("sh", "-c", "dd if=/dev/gpu-read of=/dev/null bs=8192 count=1 2>/dev/null && echo read"), "read");
    t.not((await container.exec(["sh", "-c", ": >> /dev/gpu-read"])).exit_code, 0);
    await pod.remove();
  });

  test(`a hook is run by the OCI runtime with the variables that its vendor names, and none of ours (${runtime})`, async (t) => {
    const { node, folder } = place();
    const pod = await Pod.run(node, {}, runtime);
    const container = await pod.start("one", ["sleep", "1000"], asked("hooked"));
    t.is(JSON.parse(await readFile(join(folder, "state"), "utf8")).id, container.id);
    const names = (await readFile(join(folder, "env"), "utf8")).split("\n").map((line) => line.split("=")[0]);
    t.deepEqual(names.filter((name) => !["PWD", "SHLVL", "_", ""].includes(name ?? "")).sort(), ["OWN", "PATH"]);
    await pod.remove();
  });

  test(`a hook that fails ends the start, and the container says so (${runtime})`, async (t) => {
    const pod = await Pod.run(place().node, {}, runtime);
    const container = await pod.create("one", ["sleep", "1000"], asked("refuses"));
    await t.throwsAsync(container.start(), { message: /hook/ });
    t.like(await container.status(), { state: "CONTAINER_EXITED", reason: "StartError", exit_code: 128 });
    await pod.remove();
  });
}

test("a device plugin may name devices in annotations, which come back unchanged", async (t) => {
  const pod = await Pod.run(place().node);
  const annotations = { "cdi.k8s.io/vendor_gpu0": "vendor.com/gpu=gpu0" };
  const container = await pod.start("one", ["sleep", "1000"], { annotations });
  t.is(await container.output("sh", "-c", "echo $GPU"), "0");
  t.deepEqual((await container.status()).annotations, annotations);
  await pod.remove();
});

for (const [what, device, code, message] of [
  ["that no file has", "vendor.com/gpu=other", status.FAILED_PRECONDITION, /vendor\.com\/gpu=other: no file .*broken\.json: it is no JSON/],
  ["without a vendor", "gpu0", status.INVALID_ARGUMENT, /"gpu0" is no name of a CDI device/],
  ["whose mount is not there", "vendor.com/gpu=gone-mount", status.INVALID_ARGUMENT, /no-library at \/library: no such file/],
  ["whose node is not there", "vendor.com/gpu=gone", status.FAILED_PRECONDITION, /not-there/],
] as const) {
  test(`a device ${what} is refused before anything is made`, async (t) => {
    const { node } = place();
    const pod = await Pod.run(node);
    await t.throwsAsync(pod.create("one", ["true"], { CDI_devices: [{ name: device }] }), { code, message });
    t.deepEqual(await node.cri.call("ListContainers", {}), { containers: [] });
    await pod.remove();
  });
}

test("Status tells which devices there are, and what is wrong with a file", async (t) => {
  const { info } = await place().node.cri.call<{ info: Record<string, string> }>("Status", { verbose: true });
  const { devices, problems } = JSON.parse(info["cdi"] ?? "{}");
  t.true(devices.includes("vendor.com/gpu=gpu0"));
  t.is(problems.length, 1);
  t.regex(problems[0], /broken\.json: it is no JSON/);
});

test("a file that comes while the node runs is found by the next container", async (t) => {
  const { node } = place();
  const pod = await Pod.run(node);
  const device = { CDI_devices: [{ name: "late.com/net=a" }] };
  await t.throwsAsync(pod.create("one", ["true"], device), { code: status.FAILED_PRECONDITION });
  await mkdir(join(node.folder, "cdi-run"));
  const spec = { cdiVersion: "1.0.0", kind: "late.com/net", devices: [{ name: "a", containerEdits: { env: ["NET=a"] } }] };
  await writeFile(join(node.folder, "cdi-run", "late.json"), JSON.stringify(spec));
  const container = await pod.start("one", ["sleep", "1000"], device);
  t.is(await container.output("sh", "-c", "echo $NET"), "a");
  await pod.remove();
});
