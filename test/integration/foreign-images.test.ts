// Images as other tools make and convert them: buildah from a Dockerfile, skopeo between formats, umoci. All of them run.
import { execFile } from "node:child_process";
import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import test from "ava";
import { berthOf } from "../lib/berth.ts";
import { TestNode } from "../lib/node.ts";
import { shared } from "../lib/teardown.ts";

const run = promisify(execFile);

const DOCKERFILE = `FROM scratch
COPY busybox /bin/busybox
ENV PATH=/bin GREETING=hello
RUN ["/bin/busybox", "sh", "-c", "busybox --install -s /bin && echo made > /made.txt"]
WORKDIR /work
RUN echo $GREETING > greeting.txt && rm /made.txt
USER 1000:1000
CMD ["cat", "greeting.txt"]
`;

const node = shared(test, (t) => TestNode.start(t));
const { berth, succeeds } = berthOf(node);

/** What buildah has built, as the OCI layout "made", and a place for more. */
const made = shared(test, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "berth-foreign-"));
  t.teardown(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, "Dockerfile"), DOCKERFILE);
  await copyFile("/bin/busybox", join(folder, "busybox"));
  // Its own store, without a kernel's overlay, and containers that are no more than chroots.
  const storage = `[storage]\ndriver = "vfs"\nrunroot = "${folder}/run"\ngraphroot = "${folder}/graph"\n`;
  await writeFile(join(folder, "storage.conf"), storage);
  const env = { ...process.env, CONTAINERS_STORAGE_CONF: join(folder, "storage.conf") };
  const buildah = (...args: string[]) => run("buildah", args, { cwd: folder, env });
  await buildah("bud", "--isolation", "chroot", "--layers", "-t", "localhost/made:1", ".");
  await buildah("push", "localhost/made:1", "oci:made:1");
  return folder;
});

/** Places in the folder of `made`, or elsewhere: "docker-archive:made.tar:localhost/made:1". */
async function skopeo(from: string, to: string, ...options: readonly string[]): Promise<void> {
  await run("skopeo", ["--insecure-policy", "copy", "--dest-tls-verify=false", ...options, from, to], { cwd: made() });
}

async function greets(image: string): Promise<boolean> {
  return (await succeeds("run", "--rm", "--network", "none", image)) === "hello\n";
}

const pushed = (tag: string) => `${node().registry.address}/foreign/made:${tag}`;

for (const [tag, what, options] of [
  ["docker", "Docker's schema 2", ["--format", "v2s2", "--dest-compress"]],
  ["oci", "OCI", ["--format", "oci", "--dest-compress"]],
  ["zstd", "OCI with layers of zstd", ["--format", "oci", "--dest-compress", "--dest-compress-format", "zstd"]],
] as const) {
  test(`what buildah has built is pulled as ${what}, and runs`, async (t) => {
    // By a folder: on the way to a registry skopeo would take layers that the registry has, however they are packed.
    await skopeo("oci:made:1", `dir:${tag}-plain`, "--dest-decompress");
    await skopeo(`dir:${tag}-plain`, `dir:${tag}`, ...options);
    await skopeo(`dir:${tag}`, `docker://${pushed(tag)}`, "--preserve-digests");
    const raw = await run("skopeo", ["inspect", "--raw", "--tls-verify=false", `docker://${pushed(tag)}`]);
    t.regex(raw.stdout, tag === "docker" ? /distribution\.manifest\.v2/ : tag === "zstd" ? /tar\+zstd/ : /tar\+gzip/);
    await succeeds("pull", "-q", pushed(tag));
    t.true(await greets(pushed(tag)));
    await succeeds("rmi", pushed(tag));
  });
}

for (const form of ["docker-archive", "oci-archive"]) {
  test(`what buildah has built is loaded as a ${form}, and runs`, async (t) => {
    await skopeo("oci:made:1", `${form}:${form}.tar:localhost/made:1`);
    t.regex(await succeeds("load", join(made(), `${form}.tar`)), /^localhost\/made:1 sha256:[0-9a-f]{64}\n$/);
    t.true(await greets("localhost/made:1"));
    await succeeds("rmi", "localhost/made:1");
  });
}

test("a layout that umoci has added a layer to is loaded, and runs", async (t) => {
  const [layout, bundle, tar] = ["umoci", "bundle", "umoci.tar"].map((name) => join(made(), name));
  if (layout === undefined || bundle === undefined || tar === undefined) return t.fail();
  const image = `${layout}:localhost-made`;
  await run("cp", ["-a", join(made(), "made"), layout]);
  await run("umoci", ["tag", "--image", `${layout}:1`, "localhost-made"]);
  await run("umoci", ["unpack", "--image", image, bundle]);
  await mkdir(join(bundle, "rootfs", "more"));
  await writeFile(join(bundle, "rootfs", "work", "greeting.txt"), "changed\n");
  await run("umoci", ["repack", "--image", image, bundle]);
  await run("umoci", ["rm", "--image", `${layout}:1`]);
  await run("tar", ["-C", layout, "-cf", tar, "."]);
  const id = /^- (sha256:[0-9a-f]{64})\n$/.exec(await succeeds("load", tar))?.[1] ?? "";
  t.is(await succeeds("run", "--rm", "--network", "none", id), "changed\n");
  await succeeds("rmi", id);
});

test("the history has a line for each instruction, with a size where it made a layer", async (t) => {
  await skopeo("oci:made:1", `docker://${pushed("history")}`);
  await succeeds("pull", "-q", pushed("history"));
  const rows: { createdBy: string; sizeBytes: number }[] = JSON.parse(await succeeds("history", "-o", "json", pushed("history")));
  t.deepEqual(
    rows.map(({ createdBy, sizeBytes }) => [/(CMD|USER|WORKDIR|ENV|COPY|install|GREETING >)/.exec(createdBy)?.[0], sizeBytes > 0]),
    [
      ["CMD", false],
      ["USER", false],
      ["GREETING >", true],
      // A folder, which has no bytes.
      ["WORKDIR", false],
      ["install", true],
      ["ENV", false],
      ["COPY", true],
    ],
  );
  t.true((rows.at(-1)?.sizeBytes ?? 0) > 1_000_000, "busybox itself");
  t.is(
    (await berth("run", "--rm", "--network", "none", pushed("history"), "test", "-e", "/made.txt")).code,
    1,
    "what a layer removed is gone",
  );
});
