// Devices, options of mounts, and stop signals: what a container is given beside its image.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import test from "ava";
import { TestNode } from "../lib/node.ts";
import { Pod } from "../lib/pods.ts";
import { RUNTIMES } from "../lib/runtimes.ts";
import { shared } from "../lib/teardown.ts";

const node = shared(test, (t) => TestNode.start(t));

for (const runtime of RUNTIMES) {
  test(`a device that was asked for can be used as far as was asked for, and no other (${runtime})`, async (t) => {
    const pod = await Pod.run(node(), {}, runtime);
    const devices = [{ host_path: "/dev/kmsg", container_path: "/dev/log-of-kernel", permissions: "r" }];
    const linux = { security_context: { capabilities: { add_capabilities: ["SYSLOG"] } } };
    const container = await pod.start("one", ["sleep", "1000"], { devices, linux });
    t.is(await container.output("sh", "-c", "dd if=/dev/log-of-kernel of=/dev/null bs=8192 count=1 2>/dev/null && echo read"), "read");
    t.not((await container.exec(["sh", "-c", ": >> /dev/log-of-kernel"])).exit_code, 0);
    t.not((await container.exec(["sh", "-c", "mknod /tmp/other c 10 237 && : < /tmp/other"])).exit_code, 0);
    await pod.remove();
  });

  test(`a privileged container has the node's devices (${runtime})`, async (t) => {
    const linux = { security_context: { privileged: true } };
    const pod = await Pod.run(node(), { linux }, runtime);
    const container = await pod.start("one", ["sleep", "1000"], { linux });
    t.is(
      await container.output("sh", "-c", "test -c /dev/kmsg && dd if=/dev/kmsg of=/dev/null bs=8192 count=1 2>/dev/null && echo read"),
      "read",
    );
    await pod.remove();
  });
}

for (const [what, device] of [
  ["that is not there", { host_path: "/dev/no-such", container_path: "/dev/x", permissions: "rw" }],
  ["that is none", { host_path: "/etc/passwd", container_path: "/dev/x", permissions: "rw" }],
  ["with permissions that are none", { host_path: "/dev/null", container_path: "/dev/x", permissions: "rx" }],
] as const) {
  test(`a device ${what} is refused by its name`, async (t) => {
    const pod = await Pod.run(node());
    const failure = await t.throwsAsync(pod.create("one", ["true"], { devices: [device] }));
    t.like(failure, { code: status.INVALID_ARGUMENT });
    t.true(String(failure?.message).includes(device.host_path));
    await pod.remove();
  });
}

test("a mount is noexec when that was asked for", async (t) => {
  const folder = join(node().folder, "programs");
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "run"), "#!/bin/sh\necho ran\n", { mode: 0o755 });
  const pod = await Pod.run(node());
  const mounts = [
    { host_path: folder, container_path: "/free" },
    { host_path: folder, container_path: "/kept", mount_options: ["noexec", "nosuid"] },
  ];
  const container = await pod.start("one", ["sleep", "1000"], { mounts });
  t.is(await container.output("/free/run"), "ran");
  t.not((await container.exec(["sh", "-c", "/kept/run"])).exit_code, 0);
  await pod.remove();
});

test("a container is asked to end by its own stop signal", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sh", "-c", "trap 'exit 12' USR1; while :; do sleep 0.05; done"], {
    stop_signal: "SIGNAL_SIGUSR1",
  });
  t.is((await container.status()).stop_signal, "SIGNAL_SIGUSR1");
  await container.stop(20);
  t.is((await container.status()).exit_code, 12);
  await pod.remove();
});
