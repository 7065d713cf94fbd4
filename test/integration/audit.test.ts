// What the records and the kernel disagree on is named by `berth audit`, and mended. Each leak is a real object of the kernel or the disk.
import { execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import test, { type ExecutionContext } from "ava";
import { encodeRecord } from "../../src/store/codec.ts";
import { HelperClient } from "../../src/native-client/helper.ts";
import { NamespaceUse, PortProtocol } from "../../src/generated/berth/native/helper.ts";
import { berthOf } from "../lib/berth.ts";
import { cgroupFile, isRunning, kernelObjects, kernelObjectsOf, links } from "../lib/kernel.ts";
import { TestNode } from "../lib/node.ts";
import { Pod } from "../lib/pods.ts";
import { shared } from "../lib/teardown.ts";

const node = shared(test, (t) => TestNode.start(t));
const { berth } = berthOf(node);

interface Named {
  readonly class: string;
  readonly object: string;
  readonly podSandboxId: string;
  readonly problem: string;
  readonly mended: boolean;
  readonly failure: string;
}

async function audit(...args: string[]): Promise<{ code: number; named: Named[] }> {
  const { code, stdout, stderr } = await berth("audit", "-o", "json", ...args);
  if (stdout === "") throw new Error(stderr);
  return { code, named: JSON.parse(stdout) };
}

/** The audit names what is of these classes, mends all of it, and has nothing to say after that. */
async function namesAndMends(t: ExecutionContext, ...classes: string[]): Promise<Named[]> {
  const { code, named } = await audit();
  t.deepEqual(named.map((each) => each.class).sort(), classes.toSorted(), JSON.stringify(named, undefined, 1));
  t.is(code, 1);
  const repaired = await audit("--repair");
  t.deepEqual(
    repaired.named.filter(({ mended }) => !mended),
    [],
  );
  t.is(repaired.code, 0);
  await agrees(t);
  return named;
}

async function agrees(t: ExecutionContext): Promise<void> {
  t.deepEqual(await audit(), { code: 0, named: [] });
}

test.serial("the cgroup of a pod's commands is no leak, also where the pod's own is below another parent", async (t) => {
  const pod = await Pod.run(node(), { linux: { cgroup_parent: "/berth-audit-parent" } });
  const container = await pod.start("one", ["sleep", "1000"]);
  t.is(await container.output("echo", "well"), "well");
  await agrees(t);
  t.is(await container.output("echo", "well"), "well");
  await pod.remove();
  await agrees(t);
});

const newId = (): string => randomBytes(32).toString("hex");
const helper = (): HelperClient => new HelperClient(join(node().state, "helper.sock"));
const shimPidOf = async (pod: Pod): Promise<number> => Number(JSON.parse((await pod.status()).info["info"] ?? "{}").shimPid);
const cgroupsOf = (path: string): string[] =>
  readdirSync("/sys/fs/cgroup")
    .map((name) => join("/sys/fs/cgroup", name, path))
    .concat(join("/sys/fs/cgroup", path))
    .filter((folder) => existsSync(folder));

test.serial("a node with pods has nothing to tell, and says so with exit code 0", async (t) => {
  const pod = await Pod.run(node(), { port_mappings: [{ protocol: "TCP", container_port: 80, host_port: 18080 }] });
  const [running, exited] = [await pod.start("one", ["sleep", "1000"]), await pod.start("two", ["true"])];
  await pod.create("three", ["true"]);
  await exited.reached("CONTAINER_EXITED");
  const stopped = await Pod.run(node());
  await stopped.stop();
  await agrees(t);
  t.deepEqual(await berth("audit"), { code: 0, stdout: "", stderr: "" });
  await running.stop();
  for (const each of [pod, stopped]) await each.remove();
  await agrees(t);
});

test.serial(
  "a whole pod that nobody has on record is taken down: shim, port proxy, cgroup, link, host ports, socket and folder",
  async (t) => {
    const instanceId = await node().instanceId();
    const id = newId();
    const first = await Pod.run(node());
    const before = kernelObjectsOf(node().folder, instanceId);
    const client = helper();
    const { shimPid, portProxyPid } = await client.startSandbox({
      sandboxId: id,
      stateDir: join(node().state, "pods", id),
      socketPath: join(node().state, "s", id.slice(0, 24)),
      cgroupPath: `/berth-${instanceId}/${id}`,
      limits: undefined,
      etcFiles: {},
      execCgroupPath: `/berth-${instanceId}/${id}`,
      userNamespace: undefined,
      network: NamespaceUse.NAMESPACE_USE_NEW,
      ipc: NamespaceUse.NAMESPACE_USE_NEW,
      uts: NamespaceUse.NAMESPACE_USE_NEW,
      hostname: "stray",
      sysctls: {},
      endpoint: {
        hostInterface: `veth${id.slice(0, 11)}`,
        containerInterface: "eth0",
        bridge: "berth0",
        addresses: [{ addressPrefix: "10.88.200.1/16", gateway: "10.88.0.1" }],
        mtu: 0,
        alias: `berth:${instanceId}:${id}`,
      },
      shmBytes: 65_536n,
      nftTable: `berth_${instanceId}`,
      hostPorts: [
        { protocol: PortProtocol.PORT_PROTOCOL_TCP, hostIp: "", hostPort: 18_081, podAddress: "10.88.200.1", podPort: 80 },
        { protocol: PortProtocol.PORT_PROTOCOL_UDP, hostIp: "10.88.0.1", hostPort: 18_082, podAddress: "10.88.200.1", podPort: 53 },
      ],
    });
    client.close();
    const named = await namesAndMends(t, ...["shim", "port proxy", "cgroup", "link", "host port", "host port", "socket", "state folder"]);
    t.true(named.some(({ class: kind, object }) => kind === "shim" && object === `process ${shimPid}`));
    t.true(named.some(({ class: kind, podSandboxId }) => kind === "link" && podSandboxId === id));
    t.false(isRunning(shimPid) || isRunning(portProxyPid));
    t.deepEqual(kernelObjectsOf(node().folder, instanceId), before);
    t.is((await first.status()).status.state, "SANDBOX_READY");
    await first.remove();
  },
);

test.serial("links, cgroups and mounts that are not ours are neither named nor touched", async (t) => {
  const foreign = "/berth-ffffffff/aa";
  const made = readdirSync("/sys/fs/cgroup")
    .map((name) => join("/sys/fs/cgroup", name, foreign))
    .filter((folder) => existsSync(join(folder, "../..", "tasks")));
  for (const folder of made) mkdirSync(folder, { recursive: true });
  execFileSync("ip", ["link", "add", "vethstranger0", "type", "veth", "peer", "name", "vethstranger1"]);
  execFileSync("ip", ["link", "set", "vethstranger0", "alias", "berth:ffffffff:aa"]);
  execFileSync("ip", ["link", "set", "vethstranger0", "master", "berth0"]);
  execFileSync("nft", ["add", "table", "inet", "berth_ffffffff"]);
  try {
    await agrees(t);
    t.is((await audit("--repair")).code, 0);
    t.true(links().includes("vethstranger0"));
    t.true(made.every((folder) => existsSync(folder)) && made.length > 0);
    t.regex(execFileSync("nft", ["list", "tables"], { encoding: "utf8" }), /berth_ffffffff/);
  } finally {
    execFileSync("ip", ["link", "del", "vethstranger0"]);
    execFileSync("nft", ["delete", "table", "inet", "berth_ffffffff"]);
    for (const folder of made) for (const each of [folder, join(folder, "..")]) rmdirSync(each);
  }
});

test.serial("a mount of no container goes, in a shim's mount namespace and in the node's", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sleep", "1000"]);
  const [pid, id] = [await shimPidOf(pod), newId()];
  const bundle = join(node().state, "pods", pod.id, "containers", id);
  mkdirSync(join(bundle, "rootfs"), { recursive: true });
  const inShim = (...command: string[]) => execFileSync("nsenter", ["-t", String(pid), "-m", ...command]);
  inShim("mount", "-t", "tmpfs", "none", join(bundle, "rootfs"));
  inShim("mount", "-t", "tmpfs", "none", join(bundle, "rootfs"));
  await namesAndMends(t, "mount", "mount", "bundle");
  t.false(existsSync(bundle));
  const writable = join(node().root, "containers", id);
  mkdirSync(writable);
  execFileSync("mount", ["-t", "tmpfs", "none", writable]);
  await namesAndMends(t, "mount", "writable layer");
  t.is(await container.output("echo", "alive"), "alive");
  await pod.remove();
});

test.serial(
  "a cgroup of no container goes with the processes in it, and a pod's that is missing is made again with its limits",
  async (t) => {
    const linux = { resources: { memory_limit_in_bytes: 67_108_864 } };
    const pod = await Pod.run(node(), { linux });
    const parent = `/berth-${await node().instanceId()}/${pod.id}`;
    const id = newId();
    const stray = cgroupsOf(parent).map((folder) => join(folder, id));
    for (const folder of stray) mkdirSync(folder);
    const [first = ""] = stray;
    const sleeper = spawn("sleep", ["1000"], { stdio: "ignore" });
    const ended = once(sleeper, "exit");
    for (const folder of stray.filter((each) => !each.includes("cpuset"))) writeFileSync(join(folder, "cgroup.procs"), String(sleeper.pid));
    await namesAndMends(t, "cgroup");
    t.deepEqual(await ended, [null, "SIGKILL"]);
    t.false(existsSync(first));
    const [one = ""] = cgroupsOf(parent).filter(
      (folder) => existsSync(join(folder, "memory.limit_in_bytes")) || existsSync(join(folder, "memory.max")),
    );
    rmdirSync(one);
    await namesAndMends(t, "cgroup");
    t.is(cgroupFile(parent, "memory", "memory.limit_in_bytes", "memory.max"), "67108864");
    await pod.remove();
  },
);

test.serial("layers, blobs, writable layers and files that no call makes are taken away", async (t) => {
  const { root } = node();
  const blob = join(root, "content/blobs/sha256", newId());
  const folders = [join(root, "snapshots/4711"), join(root, "containers", newId()), join(root, "archives/left")];
  for (const folder of folders) mkdirSync(join(folder, "something"), { recursive: true });
  mkdirSync(join(root, "uploads"), { recursive: true });
  const files = [blob, join(root, "content/ingest/left"), join(root, "uploads/left")];
  for (const file of files) writeFileSync(file, "x");
  await namesAndMends(t, "layer", "blob", "writable layer", "temporary file", "temporary file", "temporary file");
  for (const path of [...folders, ...files]) t.false(existsSync(path), path);
});

test.serial("a blob that was cut off, and a layer that is gone, are forgotten, and the image is pulled again", async (t) => {
  const { root } = node();
  const [blob = ""] = readdirSync(join(root, "content/blobs/sha256"));
  writeFileSync(join(root, "content/blobs/sha256", blob), "short");
  const [layer = ""] = readdirSync(join(root, "snapshots"));
  rmSync(join(root, "snapshots", layer), { recursive: true });
  await namesAndMends(t, "blob", "layer");
  const { images } = await node().cri.call<{ images: unknown[] }>("ListImages", {});
  t.deepEqual(images, []);
  await node().cri.call("PullImage", { image: { image: node().image } });
  const pod = await Pod.run(node());
  t.is(await (await pod.start("one", ["sleep", "1000"])).output("echo", "again"), "again");
  await pod.remove();
});

test.serial("a socket of no shim goes, and a pod that has lost its socket, its link or a root says what it lacks", async (t) => {
  const path = join(node().state, "s", "0".repeat(24));
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(path, resolve));
  await namesAndMends(t, "socket");
  await new Promise((resolve) => server.close(resolve));
  const pod = await Pod.run(node());
  const container = await pod.create("one", ["true"]);
  execFileSync("ip", ["link", "del", `veth${pod.id.slice(0, 11)}`]);
  rmSync(join(node().state, "s", pod.id.slice(0, 24)));
  const root = join(node().state, "pods", pod.id, "containers", container.id, "rootfs");
  execFileSync("nsenter", ["-t", String(await shimPidOf(pod)), "-m", "umount", root]);
  const { code, named } = await audit("--repair");
  t.is(code, 1);
  t.deepEqual(named.map((each) => each.class).sort(), ["link", "mount", "socket"]);
  await pod.remove();
  await agrees(t);
});

test.serial("an address of no pod is given back at the next start of berthd, and the log says so", async (t) => {
  await node().shutdown();
  const id = newId();
  const database = new DatabaseSync(join(node().root, "records.db"));
  const record = {
    id,
    network: "default",
    hostInterface: `veth${id.slice(0, 11)}`,
    address: "10.88.77.7",
    prefixLength: 16,
    gateway: "10.88.0.1",
  };
  database.prepare("INSERT INTO records (kind, id, body) VALUES ('endpoint', ?, ?)").run(id, encodeRecord(record));
  database.close();
  await node().boot();
  await node().eventually("the address is given back", async () => (node().log.includes("was mended") ? true : undefined));
  t.regex(node().log, /"class":"address","object":"10\.88\.77\.7"/);
  await agrees(t);
});

test.serial("a pod with its container, whose records a power cut has taken, is gone after the next start of berthd", async (t) => {
  const { root, state } = node();
  const [database, before] = [join(root, "records.db"), join(root, "records.before")];
  await node().shutdown();
  copyFileSync(database, before);
  await node().boot();
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sleep", "1000"]);
  await node().crash();
  renameSync(before, database);
  rmSync(`${database}-wal`);
  // A power cut takes the kernel's settings too; who starts next would take this one for how it was before.
  writeFileSync("/proc/sys/net/ipv4/ip_forward", "0");
  await node().boot();
  await node().eventually("nothing differs", async () => ((await audit()).code === 0 ? true : undefined));
  for (const path of [join(root, "containers", container.id), join(state, "pods", pod.id), join(state, "s", pod.id.slice(0, 24))])
    t.false(existsSync(path), path);
  t.deepEqual(
    kernelObjects().filter((line) => [pod.id, container.id].some((id) => line.includes(id.slice(0, 11)))),
    [],
  );
});

test.serial("pods that come and go are never named while they do", async (t) => {
  let done = false;
  const churn = Promise.all(
    Array.from({ length: 3 }, async () => {
      for (let round = 0; round < 4; round++) {
        const pod = await Pod.run(node());
        const container = await pod.start("one", ["sleep", "1000"]);
        await container.stop();
        await container.remove();
        await pod.remove();
      }
    }),
  ).finally(() => {
    done = true;
  });
  let looks = 0;
  for (; !done; looks++) t.deepEqual((await audit()).named, []);
  await churn;
  t.true(looks > 2, `${looks} looks`);
  await agrees(t);
});

test.serial("a program of a container that is named as a shim, and has a file where a shim has its log, is none", async (t) => {
  const pod = await Pod.run(node());
  const folder = join(node().state, "pods", newId());
  const program = "/tmp/berth-shim";
  const script = `mkdir -p ${folder} && printf '#!/bin/sh\\necho runs; sleep 1000\\n' > ${program} && chmod +x ${program}`;
  const container = await pod.start("one", ["sh", "-c", `${script} && exec ${program} 2>>${folder}/shim.log`]);
  await container.logged(/runs/);
  await agrees(t);
  t.is((await container.status()).state, "CONTAINER_RUNNING");
  await pod.remove();
});
