// Pods with ids of their own: root in them is nobody on the node, and what they write is as if they had the node's ids.
import { chmodSync, chownSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { berthOf } from "../lib/berth.ts";
import { kernelObjectsOf, namespaceOf } from "../lib/kernel.ts";
import { TestNode } from "../lib/node.ts";
import { Pod } from "../lib/pods.ts";
import { RUNTIMES } from "../lib/runtimes.ts";
import { shared } from "../lib/teardown.ts";

const FIRST = 200_000;
const COUNT = 65_536;
const mapping = [{ host_id: FIRST, container_id: 0, length: COUNT }];
const userns_options = { mode: "POD", uids: mapping, gids: mapping };
const ids = { uidMappings: mapping, gidMappings: mapping };

const node = shared(test, async (t) => {
  const node = await TestNode.start(t);
  // As /run/berth is: the way to its root is open to a pod's user.
  chmodSync(node.folder, 0o711);
  return node;
});
const { berth } = berthOf(node);

const withOwnIds = (more: Readonly<Record<string, unknown>> = {}, pid = "CONTAINER") => ({
  linux: { security_context: { namespace_options: { pid, userns_options } }, ...more },
});
const audited = async (): Promise<string> => (await berth("audit", "-o", "json")).stdout.trim();
const uidOf = (pid: number): string | undefined => /^Uid:\t(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
const ownerOf = (path: string): [number, number] => [statSync(path).uid, statSync(path).gid];

test("the node says that its handlers run pods with user namespaces", async (t) => {
  const { runtime_handlers } = await node().cri.call<{ runtime_handlers: readonly { name: string; features: unknown }[] }>("Status", {});
  for (const { name, features } of runtime_handlers) t.like(features, { user_namespaces: true }, name);
});

for (const runtime of RUNTIMES) {
  test(`root of the pod is another user of the node, and its files are as those of root (${runtime})`, async (t) => {
    const before = kernelObjectsOf(node().folder, await node().instanceId());
    const folder = join(node().folder, `volume-${runtime}`);
    mkdirSync(folder);
    writeFileSync(join(folder, "roots"), "");
    writeFileSync(join(folder, "users"), "");
    chownSync(join(folder, "users"), 1000, 1000);
    const pod = await Pod.run(node(), withOwnIds(), runtime);
    const container = await pod.start("one", ["sleep", "1000"], {
      ...withOwnIds(),
      mounts: [
        { host_path: folder, container_path: "/mapped", ...ids },
        { host_path: folder, container_path: "/plain", readonly: true, recursive_read_only: true },
        { container_path: "/tools", readonly: true, image: { image: node().image } },
      ],
    });
    t.is(await container.output("sh", "-c", "id -u; id -g; cat /proc/self/uid_map | tr -s ' '"), `0\n0\n 0 ${FIRST} ${COUNT}`);
    const pid = await container.pid();
    t.is(uidOf(pid), String(FIRST));
    const own = ["user", "net", "ipc", "uts", "pid", "mnt"];
    t.deepEqual(
      own.filter((kind) => namespaceOf(pid, kind) === namespaceOf(process.pid, kind)),
      [],
    );
    // What the image has, what the pod has, and what it makes.
    const owners =
      "stat -c '%n %u:%g' / /bin/busybox /etc/passwd /etc/hosts /dev/shm /tools/bin/busybox /mapped/roots /mapped/users /plain/roots";
    t.deepEqual((await container.output("sh", "-c", owners)).split("\n"), [
      "/ 0:0",
      "/bin/busybox 0:0",
      "/etc/passwd 0:0",
      "/etc/hosts 0:0",
      "/dev/shm 0:0",
      "/tools/bin/busybox 0:0",
      "/mapped/roots 0:0",
      "/mapped/users 1000:1000",
      "/plain/roots 65534:65534",
    ]);
    await container.output(
      "sh",
      "-c",
      "touch /made /mapped/made /dev/shm/made && chown 1000:1000 /mapped/made && echo x >> /etc/hosts && mount -t tmpfs none /mnt 2>/dev/null; true",
    );
    t.deepEqual(ownerOf(join(folder, "made")), [1000, 1000], "in a volume the ids are those of the pod");
    const { writableDir } = JSON.parse((await container.info())["info"] ?? "{}") as { writableDir: string };
    t.deepEqual(ownerOf(join(writableDir, "upper/made")), [FIRST, FIRST], "in the writable layer those of the node");
    t.is(await audited(), "[]");
    await pod.remove();
    t.deepEqual(kernelObjectsOf(node().folder, await node().instanceId()), before);
  });
}

test("its network, sysctls, logs and commands are those of any pod, and it is still there when berthd was killed", async (t) => {
  // None of net.core, which older kernels hide from such pods.
  const sysctls = { "net.ipv4.ping_group_range": "0 1000", "net.ipv4.ip_default_ttl": "77", "kernel.shm_rmid_forced": "1" };
  const other = await Pod.run(node());
  const pod = await Pod.run(node(), withOwnIds({ sysctls }));
  const container = await pod.start("one", ["sh", "-c", "echo hello; exec sleep 1000"], withOwnIds());
  await container.logged(/hello/);
  t.is(await container.output("cat", "/proc/sys/net/ipv4/ip_default_ttl", "/proc/sys/kernel/shm_rmid_forced"), "77\n1");
  t.is((await container.output("cat", "/proc/sys/net/ipv4/ping_group_range")).replace(/\s+/, " "), "0 1000");
  await container.output("ping", "-c", "1", "-W", "5", await other.address());
  await node().crash();
  await node().boot();
  t.is(await container.output("id", "-u"), "0");
  const second = await pod.start("two", ["sleep", "1000"], withOwnIds());
  t.is(namespaceOf(await second.pid(), "user"), namespaceOf(await container.pid(), "user"), "all containers of a pod have its ids");
  const plain = await other.start("plain", ["sleep", "1000"]);
  t.is(uidOf(await plain.pid()), "0", "other pods have the node's");
  t.is(await audited(), "[]");
  for (const each of [pod, other]) await each.remove();
  t.is(await audited(), "[]");
});

for (const runtime of RUNTIMES) {
  test(`its containers can share a PID namespace, which is the pod's own too (${runtime})`, async (t) => {
    const pod = await Pod.run(node(), withOwnIds({}, "POD"), runtime);
    const one = await pod.start("one", ["sleep", "1111"], withOwnIds({}, "POD"));
    const two = await pod.start("two", ["sleep", "2222"], withOwnIds({}, "POD"));
    t.regex(await two.output("ps"), /sleep 1111/);
    t.is(namespaceOf(await one.pid(), "pid"), namespaceOf(await two.pid(), "pid"));
    await pod.remove();
  });
}

test("a program of the pod that is no root, and one with a terminal, run too", async (t) => {
  const pod = await Pod.run(node(), withOwnIds());
  const { security_context } = withOwnIds().linux;
  const user = { linux: { security_context: { ...security_context, run_as_user: { value: 1000 }, run_as_group: { value: 1000 } } } };
  const container = await pod.start("one", ["sleep", "1000"], user);
  t.is(await container.output("id", "-u"), "1000");
  t.is(uidOf(await container.pid()), String(FIRST + 1000));
  const terminal = await pod.start("tty", ["sh", "-c", "tty; exec sleep 1000"], { ...withOwnIds(), tty: true });
  await terminal.logged(/\/dev\/pts\/0|console/);
  await pod.remove();
});
