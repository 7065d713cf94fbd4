// What an image says of itself is its maker's word: its users and groups are looked up with bounds, and nothing on the node is decided
// from its labels, variables and annotations.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { busyboxImage } from "../lib/busybox-image.ts";
import type { Message } from "../lib/cri.ts";
import { TestNode } from "../lib/node.ts";
import { onTopOf, type TestImage } from "../lib/oci-image.ts";
import { type Container, Pod } from "../lib/pods.ts";
import { RUNTIMES } from "../lib/runtimes.ts";
import type { TarEntry } from "../lib/tar.ts";
import { shared } from "../lib/teardown.ts";

const MIB = 2 ** 20;
const node = shared(test, (t) => TestNode.start(t, { flags: ["--runtime-timeout", "2"] }));
let images = 0;

async function pull(image: TestImage): Promise<string> {
  const name = `test/words-${images++}`;
  await node().registry.push(name, "1", image);
  const reference = `${node().registry.address}/${name}:1`;
  await node().cri.call("PullImage", { image: { image: reference } });
  return reference;
}

const withLayer = async (entries: readonly TarEntry[], config: Readonly<Record<string, unknown>> = {}): Promise<string> =>
  await pull(onTopOf(await busyboxImage(), entries, { Cmd: ["/bin/sh"], Env: ["PATH=/bin"], ...config }));

/** Whatever the node does with containers goes by these. */
const RESERVED: Readonly<Record<string, string>> = {
  "io.kubernetes.container.name": "other",
  "io.kubernetes.cri-o.userns-mode": "host",
  "io.kubernetes.cri.container-type": "sandbox",
  "io.cri-containerd.kind": "sandbox",
  "io.containerd.image.name": "docker.io/library/other:1",
  "io.berth.pod": "other",
  "berth.io/network": "none",
  "berth.io/rotate-logs": "true",
  "berth.io/made-for-one": "true",
  "containerd.io/restart.loguri": "binary:///bin/sh?-c=touch%20/tmp/owned",
  "org.systemd.property.ExecStartPre": "/bin/sh",
  "run.oci.hooks.stderr": "/tmp/owned",
  "run.oci.keep_original_groups": "1",
  "run.oci.mount_context_type": "x",
  "run.oci.handler": "wasm",
  "io.katacontainers.config.hypervisor.path": "/bin/sh",
  "seccomp.security.alpha.kubernetes.io/pod": "unconfined",
  "container.apparmor.security.beta.kubernetes.io/one": "unconfined",
};

// CVE-2026-53488, CVE-2023-6476
test("labels, variables and annotations of an image with the names that programs of a node read change nothing", async (t) => {
  const entries = [{ name: "etc/words", content: "x" }];
  const config = { Cmd: ["/bin/sh"], Env: ["PATH=/bin"] };
  const plain = onTopOf(await busyboxImage(), entries, config);
  const env = Object.entries(RESERVED).map(([name, value]) => `${name}=${value}`);
  const wordy = onTopOf(
    await busyboxImage(),
    entries,
    { ...config, Labels: RESERVED, Env: [...config.Env, ...env] },
    { annotations: RESERVED },
  );
  const pod = await Pod.run(node());
  const [one, other] = [await started(pod, "one", await pull(plain)), await started(pod, "two", await pull(wordy))];
  const said = (container: Container): Message => {
    const text = readFileSync(join(node().state, "pods", pod.id, "containers", container.id, "config.json"), "utf8");
    const spec = JSON.parse(text.replaceAll(container.id, "ID")) as { process: { env: readonly string[] } };
    const known = spec.process.env.filter((entry) => !env.includes(entry));
    return { ...spec, process: { ...spec.process, env: known } };
  };
  t.deepEqual(said(other), said(one));
  t.false("annotations" in said(other));
  const { containers } = await node().cri.call<{ containers: readonly { id: string; labels: object; annotations: object }[] }>(
    "ListContainers",
    {},
  );
  const listed = containers.find(({ id }) => id === other.id);
  t.deepEqual([listed?.labels, listed?.annotations], [{}, {}]);
  await pod.remove();
});

async function started(pod: Pod, name: string, image: string): Promise<Container> {
  return await pod.start(name, ["sleep", "1000"], { image: { image } });
}

const refusalOf = async (pod: Pod, image: string, config: Message = {}): Promise<string> =>
  await pod.create("refused", ["sleep", "1000"], { image: { image }, ...config }).then(
    () => "",
    (failure: unknown) => String(failure),
  );

// CVE-2024-40635, CVE-2026-46680, CVE-2016-3697
test("a user that is no user is refused, and never root", async (t) => {
  const pod = await Pod.run(node());
  for (const User of [
    "2147483648",
    "4294967295",
    "4294967296",
    "18446744073709551616",
    "-1",
    "0x0",
    " 0",
    "\u0660",
    "1:-1",
    "1:4294967296",
    "+0",
  ]) {
    t.regex(
      await refusalOf(pod, await withLayer([], { User })),
      /INVALID_ARGUMENT: create container .*look up user /,
      JSON.stringify(User),
    );
  }
  await pod.remove();
});

for (const runtime of RUNTIMES) {
  test(`a number is that user, whatever names the image gives to numbers (${runtime})`, async (t) => {
    const passwd = "1000:x:0:0::/:/bin/sh\nroot:x:0:0::/:/bin/sh\nzero:x:0000:0::/:/bin/sh\n";
    const pod = await Pod.run(node(), {}, runtime);
    const container = await started(pod, "one", await withLayer([{ name: "etc/passwd", content: passwd }], { User: "1000:1000" }));
    t.is(await container.output("sh", "-c", "id -u; id -g; id -G"), "1000\n1000\n1000");
    const misled = await withLayer([{ name: "etc/group", content: "1000:x:0:\n" }], { User: "1000:1000" });
    t.regex(await refusalOf(pod, misled), /read \/etc\/group of the image: it gives the number of one group to another/);
    await pod.remove();
  });
}

// CVE-2026-47262, CVE-2025-4437, CVE-2024-9676
for (const file of ["passwd", "group"] as const) {
  const path = `etc/${file}`;
  const line = file === "passwd" ? "a:x:1:1::/:/bin/sh\n" : "a:x:1:\n";
  test(`a /${path} that is too large or no file is refused, and nobody waits for it`, async (t) => {
    const pod = await Pod.run(node());
    for (const [entry, why] of [
      [{ content: line.repeat(Math.ceil(MIB / line.length) + 1) }, "it is over 1 MiB"],
      [{ content: "x".repeat(MIB + 1) }, "it is over 1 MiB"],
      [{ isFifo: true }, "it is no regular file"],
      [{ device: [1, 5] }, "it is no regular file"],
      [{ isFolder: true }, "it is no regular file"],
    ] satisfies [Omit<TarEntry, "name">, string][]) {
      const refusal = await refusalOf(pod, await withLayer([{ name: "isFolder" in entry ? `${path}/` : path, ...entry }]));
      t.true(refusal.includes(`read /${path} of the image: ${why}`), refusal);
    }
    await pod.remove();
  });

  test(`a /${path} that is a link leads nowhere outside of the image`, async (t) => {
    const pod = await Pod.run(node());
    // None of these is there in an image that nobody has started.
    for (const link of ["/dev/zero", "/proc/self/fd/0", "/proc/1/root/etc/passwd", "../../../../../../dev/zero", file]) {
      const image = await withLayer([{ name: path, link }]);
      const named = { linux: { security_context: { run_as_username: "tester" } } };
      if (file === "passwd") t.regex(await refusalOf(pod, image, named), /INVALID_ARGUMENT: create container .*does not name it/, link);
      t.is(await refusalOf(pod, image), "", link);
      await removeAll(pod);
    }
    const toPipe = await withLayer([
      { name: path, link: "/etc/pipe" },
      { name: "etc/pipe", isFifo: true },
    ]);
    t.regex(await refusalOf(pod, toPipe), /it is no regular file/);
    await pod.remove();
  });
}

async function removeAll(pod: Pod): Promise<void> {
  const { containers } = await node().cri.call<{ containers: readonly { id: string }[] }>("ListContainers", {
    filter: { pod_sandbox_id: pod.id },
  });
  for (const { id } of containers) await node().cri.call("RemoveContainer", { container_id: id });
}

for (const runtime of RUNTIMES) {
  test(`a container that puts something endless in the place of its passwd holds up its own commands only (${runtime})`, async (t) => {
    const pod = await Pod.run(node(), {}, runtime);
    const container = await pod.start("one", ["sleep", "1000"]);
    const other = await pod.start("two", ["sleep", "1000"]);
    const replaced = async (by: string) => await container.exec(["sh", "-c", `rm -f /etc/passwd; ${by}`]);
    await replaced("ln -s /dev/zero /etc/passwd");
    await endsInTime(t, container, other);
    // What the last one has left may keep even the command that would mend it from being run.
    const next = await pod.start("three", ["sleep", "1000"]);
    await next.exec(["sh", "-c", "rm /etc/passwd; mkfifo /etc/passwd"]);
    await endsInTime(t, next, other);
    await pod.remove();
  });
}

/** A command may fail, at the runtime's own deadline at the latest; another container's goes well meanwhile. */
async function endsInTime(t: ExecutionContext, container: Container, other: Container): Promise<void> {
  const command = container.exec(["true"]).then(
    () => "",
    (failure: unknown) => String(failure),
  );
  t.is(await other.output("echo", "here"), "here");
  t.regex(await command, /^$|exec in container [0-9a-f]{64}: /);
}
