// Volumes that the shim makes: mounts that are read-only to the last one below them, and images.
import { execFileSync } from "node:child_process";
import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import test from "ava";
import { berthOf } from "../lib/berth.ts";
import { TestNode } from "../lib/node.ts";
import { makeImage } from "../lib/oci-image.ts";
import { type Container, Pod } from "../lib/pods.ts";
import { RUNTIMES } from "../lib/runtimes.ts";
import { shared } from "../lib/teardown.ts";

const node = shared(test, (t) => TestNode.start(t));
const { berth } = berthOf(node);

const audited = async (): Promise<string> => (await berth("audit", "-o", "json")).stdout.trim();

/** Two layers, with links that lead out of the image, by a file of the node that everybody has. */
const data = makeImage({
  entries: [
    [
      { name: "models/", isFolder: true },
      { name: "models/one", content: "first" },
      { name: "models/old", content: "old" },
      { name: "up", link: "../../../../../.." },
      { name: "root", link: "/" },
      { name: "proc-root", link: "/proc/self/root" },
      { name: "loop", link: "loop" },
      { name: "latest", link: "/models" },
    ],
    [
      { name: "models/two", content: "second" },
      { name: "models/.wh.old", content: "" },
    ],
  ],
});
const single = makeImage({ layers: [{ "only.txt": "one layer" }] });

const dataImage = (): string => `${node().registry.address}/test/data:1`;
const singleImage = (): string => `${node().registry.address}/test/single:1`;

test.before(async () => {
  await node().registry.push("test/data", "1", data);
  await node().registry.push("test/single", "1", single);
  for (const image of [dataImage(), singleImage()]) await node().cri.call("PullImage", { image: { image } });
});

const imageMount = (image: string, sub = "") => ({ container_path: "/data", readonly: true, image: { image }, image_sub_path: sub });

const mountsOf = async (container: Container): Promise<readonly Record<string, unknown>[]> =>
  ((await container.status()) as unknown as { mounts: readonly Record<string, unknown>[] }).mounts;

for (const runtime of RUNTIMES) {
  test(`of a recursive read-only volume no mount can be written, and of a read-only one those below can (${runtime})`, async (t) => {
    const folder = join(node().folder, `tree-${runtime}`);
    await mkdir(join(folder, "sub"), { recursive: true });
    execFileSync("mount", ["-t", "tmpfs", "none", join(folder, "sub")]);
    t.teardown(() => void execFileSync("umount", [join(folder, "sub")]));
    const pod = await Pod.run(node(), {}, runtime);
    const container = await pod.start("one", ["sleep", "1000"], {
      mounts: [
        { host_path: folder, container_path: "/all", readonly: true, recursive_read_only: true },
        { host_path: folder, container_path: "/top", readonly: true },
      ],
    });
    t.is(await container.output("sh", "-c", "touch /top/sub/written && ls /all/sub"), "written");
    for (const path of ["/all/x", "/all/sub/x", "/top/x"]) {
      const { stderr } = await container.exec(["touch", path]);
      t.regex(stderr.toString(), /Read-only file system/, path);
    }
    t.deepEqual(
      (await mountsOf(container)).map((mount) => [mount["container_path"], mount["host_path"], mount["recursive_read_only"]]),
      [
        ["/all", folder, true],
        ["/top", folder, false],
      ],
    );
    await pod.remove();
    t.is(await readFile(join(folder, "sub/written"), "utf8"), "", "what the volume had is there when the container is gone");
  });

  test(`an image is a volume with all its layers, which can be run from and not written (${runtime})`, async (t) => {
    const pod = await Pod.run(node(), {}, runtime);
    const mounts = [
      imageMount(dataImage()),
      { container_path: "/tools", readonly: true, image: { image: node().image } },
      { container_path: "/single", readonly: true, image: { image: singleImage() } },
    ];
    const container = await pod.start("one", ["sleep", "1000"], { mounts });
    t.is(await container.output("ls", "/data/models"), "one\ntwo");
    t.is(await container.output("/tools/bin/cat", "/data/models/two", "/single/only.txt"), "secondone layer");
    for (const path of ["/data/x", "/single/x"]) {
      t.regex((await container.exec(["touch", path])).stderr.toString(), /Read-only file system/);
    }
    const [first] = await mountsOf(container);
    t.like(first, { container_path: "/data", host_path: "", readonly: true, image: { image: dataImage(), image_ref: data.id } });
    t.is(await audited(), "[]");
    const { shimPid } = JSON.parse((await pod.status()).info["info"] ?? "{}") as { shimPid: number };
    const volume = join(node().state, "pods", pod.id, "containers", container.id, "volumes/0");
    execFileSync("nsenter", ["-t", String(shimPid), "-m", "umount", volume]);
    t.regex(await audited(), /volumes\/0.*a volume of the container is not mounted/s);
    await pod.remove();
  });
}

test("a sub path is a folder in the image, wherever the image's links point", async (t) => {
  const pod = await Pod.run(node());
  for (const [sub, files] of [
    ["models", "one\ntwo"],
    ["latest", "one\ntwo"],
    ["up/models", "one\ntwo"],
    ["root/root/latest", "one\ntwo"],
    ["models/", "one\ntwo"],
  ] as const) {
    const name = sub.replaceAll("/", "-");
    const container = await pod.start(name, ["sleep", "1000"], { mounts: [imageMount(dataImage(), sub)] });
    t.is(await container.output("ls", "/data"), files, sub);
    await container.remove();
  }
  for (const [sub, why] of [
    ["none", /find "none" in the image: it is not there/],
    ["models/one", /it is no folder/],
    ["loop", /its links lead in a circle/],
    ["up/etc", /it is not there/],
    ["proc-root/etc", /it is not there/],
  ] as const) {
    const failure = await t.throwsAsync(pod.create("refused", ["true"], { mounts: [imageMount(dataImage(), sub)] }), undefined, sub);
    t.like(failure, { code: status.INVALID_ARGUMENT }, sub);
    t.regex(String(failure?.message), /ImageVolumeMountFailed/);
    t.regex(String(failure?.message), why);
  }
  t.is(await audited(), "[]");
  await pod.remove();
});

test("an image that is a volume stays while a container has it, also when its name is removed and berthd is killed", async (t) => {
  const image = `${node().registry.address}/test/held:1`;
  await node().registry.push("test/held", "1", makeImage({ layers: [{ "held.txt": "still here" }] }));
  await node().cri.call("PullImage", { image: { image } });
  const pod = await Pod.run(node());
  const mounts = [imageMount(image)];
  const [one, two] = [await pod.start("one", ["sleep", "1000"], { mounts }), await pod.create("two", ["sleep", "1000"], { mounts })];
  await node().cri.call("RemoveImage", { image: { image } });
  await node().crash();
  await node().boot();
  await two.start();
  for (const container of [one, two]) t.is(await container.output("cat", "/data/held.txt"), "still here");
  await one.remove();
  t.is(await two.output("cat", "/data/held.txt"), "still here");
  t.is(await audited(), "[]");
  const failure = await t.throwsAsync(pod.create("three", ["true"], { mounts }));
  t.like(failure, { code: status.NOT_FOUND });
  t.regex(String(failure?.message), /ImageVolumeMountFailed: mount \/data: image ".*held:1" is not on this node/);
  await pod.remove();
  t.is(await audited(), "[]");
});

test("a file can be a recursive read-only volume", async (t) => {
  const file = join(node().folder, "file");
  await writeFile(file, "text");
  const pod = await Pod.run(node());
  const mounts = [{ host_path: file, container_path: "/file", readonly: true, recursive_read_only: true }];
  const container = await pod.start("one", ["sleep", "1000"], { mounts });
  t.is(await container.output("cat", "/file"), "text");
  t.not((await container.exec(["sh", "-c", "echo x > /file"])).exit_code, 0);
  await pod.remove();
  t.is(await readFile(file, "utf8"), "text");
});

test("mounts pass between node and container as a volume's propagation says, where the node's mount does", async (t) => {
  const [folder, peer] = [join(node().folder, "passed-on"), join(node().folder, "peer")];
  const mount = (...args: string[]): unknown => execFileSync("mount", args);
  for (const path of [folder, peer]) await mkdir(path);
  mount("-t", "tmpfs", "none", folder);
  t.teardown(() => void execFileSync("umount", ["--recursive", folder]));
  mount("--make-shared", folder);
  mount("--bind", folder, peer);
  t.teardown(() => void execFileSync("umount", ["--recursive", peer]));
  for (const path of ["node", "container", "there"]) await mkdir(join(folder, path));
  const volume = (name: string, propagation: string) => ({ host_path: folder, container_path: `/${name}`, propagation });
  const follows = volume("follows", "PROPAGATION_HOST_TO_CONTAINER");
  const both = volume("both", "PROPAGATION_BIDIRECTIONAL");
  const security = { linux: { security_context: { privileged: true } } };
  const pod = await Pod.run(node(), security);
  const container = await pod.start("one", ["sleep", "1000"], {
    ...security,
    mounts: [volume("private", "PROPAGATION_PRIVATE"), follows, both],
  });

  mount("-t", "tmpfs", "none", join(folder, "node"));
  await mkdir(join(folder, "node/seen"));
  t.is(
    await container.output("sh", "-c", "ls /private/node /follows/node /both/node"),
    "/both/node:\nseen\n\n/follows/node:\nseen\n\n/private/node:",
  );
  await container.output("sh", "-c", "mount -t tmpfs none /follows/there && mkdir /follows/there/hidden");
  await container.output("sh", "-c", "mount -t tmpfs none /both/container && mkdir /both/container/seen");
  t.deepEqual([await readdir(join(folder, "there")), await readdir(join(folder, "container"))], [[], ["seen"]]);
  await pod.remove();

  // A slave of its peer, from here on: mounts come, and do not go.
  mount("--make-slave", folder);
  const other = await Pod.run(node());
  const link = join(node().folder, "link");
  await symlink(folder, link);
  const slave = await other.start("slave", ["sleep", "1000"], { mounts: [{ ...follows, host_path: link }] });
  mount("-t", "tmpfs", "none", join(peer, "there"));
  await mkdir(join(peer, "there/seen"));
  t.is(await slave.output("ls", "/follows/there"), "seen");
  const refused = await t.throwsAsync(other.create("two", ["true"], { mounts: [{ ...both, host_path: link }] }));
  t.like(refused, { code: status.FAILED_PRECONDITION });
  t.true(refused?.message.includes(`look at ${link}: it is on the mount ${folder}, which is not a shared mount`));
  await other.remove();
});
