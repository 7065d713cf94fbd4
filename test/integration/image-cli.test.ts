// What is done with images from the command line: real nodes, a real registry, and the programs of others.
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import test from "ava";
import { berthOf } from "../lib/berth.ts";
import { programs, TestNode } from "../lib/node.ts";
import { makeImage, sha256 } from "../lib/oci-image.ts";
import { shared } from "../lib/teardown.ts";

const run = promisify(execFile);

const node = shared(test, (t) => TestNode.start(t));
const { environment, berth, succeeds } = berthOf(node);

const other = shared(test, (t) => TestNode.start(t, { flags: ["--bridge", "berth1", "--pod-subnet", "10.89.0.0/16"], withImage: false }));
const there = berthOf(other);

const idOf = async (name: string): Promise<string> => JSON.parse(await succeeds("inspect", "--type", "image", name))[0].status.id;

for (const format of ["docker-archive", "oci-archive"]) {
  test(`an image that is saved as an ${format} is the same on another node, to skopeo and to umoci`, async (t) => {
    const { image } = node();
    const id = await idOf(image);
    const pipe = `berth save --format ${format} "$1" | BERTH_SOCKET="$2" berth load`;
    const env = { ...environment(), PATH: `${programs}:${process.env["PATH"]}` };
    const { stdout } = await run("bash", ["-o", "pipefail", "-c", pipe, "bash", image, other().socket], { env });
    t.is(stdout, `${image} ${id}\n`);
    t.is(await there.succeeds("run", "--rm", "--network", "none", image, "echo", "here"), "here\n");
    await there.succeeds("rmi", image);
    t.is(await there.succeeds("images", "-o", "json"), "[]\n");

    const tar = join(node().folder, `${format}.tar`);
    await succeeds("save", "--format", format, "-o", tar, image);
    const config = (await run("skopeo", ["inspect", "--config", "--raw", `${format}:${tar}`], { encoding: "buffer" })).stdout;
    t.is(sha256(config), id);
    const layout = join(node().folder, `${format}-layout`);
    const bundle = join(node().folder, `${format}-bundle`);
    await run("mkdir", [layout]);
    await run("tar", ["-C", layout, "-xf", tar]);
    await run("umoci", ["unpack", "--image", `${layout}:1`, bundle]);
    t.deepEqual(await readFile(join(bundle, "rootfs/bin/busybox")), await readFile("/bin/busybox"));
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
