// What is done with images from the command line: real nodes, a real registry, and the programs of others.
import { execFile } from "node:child_process";
import { appendFileSync, mkdtempSync, writeFileSync } from "node:fs";
import { mkdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import test from "ava";
import { berthOf } from "../lib/berth.ts";
import { programs, TestNode } from "../lib/node.ts";
import { makeImage, sha256 } from "../lib/oci-image.ts";
import { DockerRegistry } from "../lib/registry.ts";
import { shared } from "../lib/teardown.ts";

const run = promisify(execFile);

// "harbour", by a cheap hash
const USERS = "ci:$2b$04$k7AUP9b6v3NITYQFeQVrBOH8WUuz7Zlkjb0ZVTe8sj1jGor7gzqgy";

const node = shared(test, (t) => TestNode.start(t));
const guarded = shared(test, (t) => DockerRegistry.guarded(t, node().registry, USERS));
const { environment, berth, succeeds } = berthOf(node);

// Beside the first one; its settings are changed on the way.
const settings = join(mkdtempSync(join(tmpdir(), "berth-settings-")), "berth.toml");
const other = shared(test, (t) => {
  t.teardown(() => rm(dirname(settings), { recursive: true }));
  writeFileSync(settings, 'bridge = "berth1"\npod-subnet = "10.89.0.0/16"\n');
  return TestNode.start(t, { flags: ["--config", settings], withImage: false });
});
const there = berthOf(other);

const idOf = async (name: string): Promise<string> => JSON.parse(await succeeds("inspect", "--type", "image", name))[0].status.id;

for (const format of ["docker-archive", "oci-archive"]) {
  test(`an image that is saved as a ${format} is the same on another node, to skopeo and to umoci`, async (t) => {
    const image = `${node().registry.address}/test/saved:1`;
    const made = makeImage({ layers: [{ base: "base" }, { "hello.txt": "hello" }] });
    await node().registry.push("test/saved", "1", made);
    await succeeds("pull", image);
    const pipe = `berth save --format ${format} "$1" | BERTH_SOCKET="$2" berth load`;
    const env = { ...environment(), PATH: `${programs}:${process.env["PATH"]}` };
    const { stdout } = await run("bash", ["-o", "pipefail", "-c", pipe, "bash", image, other().socket], { env });
    t.is(stdout, `${image} ${made.id}\n`);
    await there.succeeds("rmi", image);
    t.is(await there.succeeds("images", "-o", "json"), "[]\n");

    const tar = join(node().folder, `${format}.tar`);
    await succeeds("save", "--format", format, "-o", tar, image);
    const config = (await run("skopeo", ["inspect", "--config", "--raw", `${format}:${tar}`], { encoding: "buffer" })).stdout;
    t.is(sha256(config), made.id);
    const layout = join(node().folder, `${format}-layout`);
    const bundle = join(node().folder, `${format}-bundle`);
    await mkdir(layout);
    await run("tar", ["-C", layout, "-xf", tar]);
    await run("umoci", ["unpack", "--image", `${layout}:1`, bundle]);
    t.is(await readFile(join(bundle, "rootfs/hello.txt"), "utf8"), "hello");
  });
}

test("an image has the names it is given, and goes with the last of them", async (t) => {
  const first = `${node().registry.address}/test/named:1`;
  await node().registry.push("test/named", "1", makeImage());
  await succeeds("pull", first);
  await succeeds("tag", first, "localhost/second:2");
  await succeeds("rmi", first);
  t.regex(await succeeds("images"), /localhost\/second:2/);
  t.notRegex(await succeeds("images"), /test\/named/);
  await succeeds("rmi", "localhost/second:2");
  t.is((await berth("inspect", "--type", "image", "localhost/second:2")).code, 1);
});

test("an image that is not there is saved nowhere", async (t) => {
  const { code, stderr } = await berth("save", "-o", join(node().folder, "none.tar"), "nothing:1");
  t.is(code, 1);
  t.is(stderr, 'berth: image "nothing:1" is not on this node\nhint: fetch it with `berth pull nothing:1`\n');
  await t.throwsAsync(readFile(join(node().folder, "none.tar")), { code: "ENOENT" });
});

interface UsageOfImages {
  readonly image_filesystems: readonly { readonly used_bytes: { readonly value: string } }[];
}

test("what nobody needs is told, and goes with as many bytes as were told", async (t) => {
  const unused = `${node().registry.address}/test/unused:1`;
  await node().registry.push("test/unused", "1", makeImage({ layers: [{ unused: "x".repeat(100_000) }] }));
  await there.succeeds("pull", unused);
  await there.succeeds("run", "-d", "--pod", "user", "--name", "app", node().image, "sleep", "1000");
  const usedBytes = async () => Number((await other().cri.call<UsageOfImages>("ImageFsInfo", {})).image_filesystems[0]?.used_bytes.value);
  t.is(await there.succeeds("prune", "--dry-run"), "nothing to remove\n", "an image with a name stays");
  const [planned, ...others] = JSON.parse(await there.succeeds("prune", "images", "--all", "--dry-run", "-o", "json"));
  t.like(planned, { kind: "image", name: unused });
  t.deepEqual(others, []);
  const before = await usedBytes();
  t.regex(await there.succeeds("prune", "-af", "images"), /test\/unused:1 +\d+\.\d KiB\n\d+\.\d KiB freed\n$/);
  t.is(await usedBytes(), before - planned.freedBytes);
  await there.succeeds("stop", "-t", "0", "user");
  const gone = JSON.parse(await there.succeeds("prune", "-af", "-o", "json"));
  t.deepEqual(
    gone.map(({ kind, name }: Record<string, string>) => [kind, name]),
    [
      ["pod", "user"],
      ["image", node().image],
    ],
  );
  t.is(await usedBytes(), 0);
});

test("on a full disk a pull has unused images removed, and no container loses its own", async (t) => {
  const unused = `${node().registry.address}/test/unused:1`;
  await there.succeeds("run", "-d", "--pod", "user", "--name", "app", node().image, "sleep", "1000");
  await there.succeeds("pull", unused);
  await other().shutdown();
  // Every disk is that full.
  appendFileSync(settings, "image-gc-high-percent = 1\nimage-gc-low-percent = 0\nimage-gc-min-age = 0\n");
  await other().boot();
  await there.succeeds("pull", unused);
  await other().eventually("the unused image is gone", async () =>
    (await there.succeeds("images")).includes("test/unused") ? undefined : true,
  );
  t.regex(other().log, /test\/unused:1.*an unused image was removed, because the disk fills/);
  t.regex(await there.succeeds("images"), /test\/busybox/);
  t.is(await there.succeeds("exec", "user/app", "echo", "alive"), "alive\n");
});

test("who has signed in pulls what others may not, by Docker's file, and signs out again", async (t) => {
  const { address } = guarded();
  const image = `${address}/test/busybox:1`;
  const user = berthOf(node, { DOCKER_CONFIG: join(node().folder, "docker") });
  const signIn = (password: string) =>
    run("bash", ["-o", "pipefail", "-c", 'printf %s "$1" | berth login -u ci --password-stdin "$2"', "bash", password, address], {
      env: { ...user.environment(), PATH: `${programs}:${process.env["PATH"]}` },
    });
  t.regex((await user.berth("pull", image)).stderr, /^berth: pull .*HTTP 401/m);
  const refused = await t.throwsAsync<Error & { stderr: string }>(signIn("harbor"));
  t.regex(refused.stderr, /^berth: sign in to 127.*HTTP 401.*check the credentials/);
  t.regex((await signIn("harbour")).stdout, /^signed in to 127.* as ci; the password is in .*\/docker\/config\.json\n$/);
  t.regex(await user.succeeds("pull", image), /test\/busybox:1 sha256:/);
  t.is(await user.succeeds("run", "--rm", "--network", "none", image, "echo", "in"), "in\n");
  // skopeo reads the same file.
  const authfile = join(node().folder, "docker", "config.json");
  t.regex((await run("skopeo", ["inspect", "--tls-verify=false", "--authfile", authfile, `docker://${image}`])).stdout, /"Digest"/);
  await user.succeeds("logout", address);
  t.regex((await user.berth("pull", image)).stderr, /^berth: pull .*HTTP 401/m);
});

test("a pull tells what comes of it, layer by layer, and is quiet where it should be", async (t) => {
  const image = `${node().registry.address}/test/layers:1`;
  await node().registry.push("test/layers", "1", makeImage({ layers: [{ a: "a".repeat(5000) }, { b: "b" }] }));
  const { stdout, stderr } = await berth("pull", image);
  t.regex(stdout, /^127.*\/test\/layers:1 sha256:[0-9a-f]{64} \d+\.\ds\n$/);
  t.regex(stderr, /^([0-9a-f]{13} {2}\d+ B fetched\n){2}$/);
  t.regex((await berth("pull", image)).stderr, /^([0-9a-f]{13} {2}was here\n){2}$/);
  const quiet = await berth("pull", "-q", image);
  t.deepEqual([quiet.stderr, quiet.stdout], ["", `${await idOf(image)}\n`]);
  // script gives it a terminal.
  const env = { ...environment(), PATH: `${programs}:${process.env["PATH"]}` };
  await succeeds("rmi", image);
  const terminal = await run("script", ["-qec", `berth pull ${image}`, "/dev/null"], { env });
  t.regex(terminal.stdout, /[0-2] of 2 layers, \d+ B fetched/);
});
