// `berth cp`: files from containers and to them, and that nothing in a container leads a copy out of it.
import { execFile, spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, readdir, readlink, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import test, { type ExecutionContext } from "ava";
import { berthCli } from "../lib/berth-cli.ts";
import { childrenOf } from "../lib/children.ts";
import { demoImage, programs, TestNode } from "../lib/node.ts";
import { Pod } from "../lib/pods.ts";
import { makeTar } from "../lib/tar.ts";
import { shared } from "../lib/teardown.ts";

const node = shared(test, (t) => TestNode.start(t));
const { berth, succeeds } = berthCli(node);

async function folder(t: ExecutionContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "berth-cp-"));
  t.teardown(() => rm(path, { recursive: true, force: true }));
  return path;
}

const run = async (program: string, ...args: string[]): Promise<string> => (await promisify(execFile)(program, args)).stdout;

/** Names, kinds, modes, owners, times, targets and contents of all below a folder, as text that two trees can be compared by. */
const LOOK =
  "cd \"$0\" && find . ! -type d -exec stat -c '%n %f %s %Y %N' {} + | sort && find . -type d -exec stat -c '%n %a %Y' {} + | sort && find . -type f -exec md5sum {} + | sort";
const treeOf = (path: string): Promise<string> => run("/bin/busybox", "sh", "-c", LOOK, path);

const MAKE_TREE = `mkdir -p /tree/sub/empty /tree/$(printf 'd%.0s' $(seq 120)) && cd /tree
echo one > one && : > nothing && dd if=/dev/urandom of=sub/large bs=1000 count=700 2>/dev/null
ln -s ../one sub/link && ln -s /no/where dangling && ln -s $(printf 'x%.0s' $(seq 200)) long-target
printf 'raw' > "$(printf 'not\\377utf8')" && echo deep > d*/$(printf 'n%.0s' $(seq 120))
chmod 640 one && chmod 750 sub && touch -d '2020-01-02 03:04:05' one sub/empty nothing sub`;

async function sleeping(config: Record<string, unknown> = {}) {
  const pod = await Pod.run(node(), { linux: config["linux"] ?? {} });
  const container = await pod.start("one", ["sleep", "1000"], config);
  return { pod, container };
}

test("a tree is the same after the way out and the way in", async (t) => {
  const { pod, container } = await sleeping();
  const local = await folder(t);
  await container.output("sh", "-c", MAKE_TREE);
  await succeeds("cp", `${container.id}:/tree`, local);
  const inside = await container.output("sh", "-c", LOOK, "/tree");
  t.true(inside.includes("large") && inside.includes("long-target"));
  t.is((await treeOf(join(local, "tree"))).trimEnd(), inside);
  await succeeds("cp", join(local, "tree"), `${container.id}:/back`);
  t.is(await container.output("sh", "-c", LOOK, "/back"), inside);
  await pod.remove();
});

test("what a target is decides where the source goes, both ways", async (t) => {
  const { pod, container } = await sleeping();
  const local = await folder(t);
  const inside = (path: string): string => `${container.id}:${path}`;
  await container.output("sh", "-c", "mkdir -p /src/sub /dst && echo file > /src/file && echo deep > /src/sub/deep");
  await mkdir(join(local, "dst"));
  // [source, target, what is there then], first from the container, then with the same words to it.
  const rules = [
    ["/src/file", "dst/new", ["new"]],
    ["/src/file", "dst", ["file"]],
    ["/src/file", "dst/", ["file"]],
    ["/src", "dst", ["src", "src/file", "src/sub", "src/sub/deep"]],
    ["/src/", "dst/other", ["other", "other/file", "other/sub", "other/sub/deep"]],
    ["/src/.", "dst", ["file", "sub", "sub/deep"]],
    ["/src/.", "dst/made", ["made", "made/file", "made/sub", "made/sub/deep"]],
  ] as const;
  for (const [source, target, expected] of rules) {
    await succeeds("cp", inside(source), join(local, target) + (target.endsWith("/") ? "/" : ""));
    t.deepEqual((await readdir(join(local, "dst"), { recursive: true })).sort(), expected, `from ${source} to ${target}`);
    await rm(join(local, "dst"), { recursive: true });
    await mkdir(join(local, "dst"));
  }
  await succeeds("cp", inside("/src"), local);
  for (const [source, target, expected] of rules) {
    await succeeds("cp", local + source, inside(`/${target}`));
    const found = await container.output("sh", "-c", "cd /dst && find . ! -name . | sed s,^./,, | sort && rm -r /dst && mkdir /dst");
    t.deepEqual(found.split("\n"), expected, `to ${target} from ${source}`);
  }
  await pod.remove();
});

test("a target that can't take the source is refused with its path, and stays as it is", async (t) => {
  const { pod, container } = await sleeping();
  const local = await folder(t);
  await container.output("sh", "-c", "mkdir -p /src/file /dir && echo file > /dir/file && echo x > /plain");
  await writeFile(join(local, "file"), "mine");
  await mkdir(join(local, "plain"));
  for (const [args, words] of [
    [[`${container.id}:/no/such`, local], /open "\/no\/such": No such file or directory/],
    [[`${container.id}:/plain`, join(local, "none/")], /none\/: there is no such folder/],
    [[`${container.id}:/plain`, join(local, "no/file")], /no such file or directory/i],
    [[`${container.id}:/src`, join(local, "file")], /file: it is not a folder/],
    [[`${container.id}:/src/.`, local], /there is something of this name that is no folder/],
    [[`${container.id}:/plain`, local], /there is a folder of this name/],
    [[`${container.id}:/plain/`, local], /"\/plain\/".*Not a directory/],
    [[join(local, "file"), `${container.id}:/none/`], /open folder "\/none\/": No such file or directory/],
    [[join(local, "file"), `${container.id}:/no/file`], /open folder "\/no": No such file or directory/],
    [[local, `${container.id}:/plain`], /"\/plain": it is not a folder/],
    [[join(local, "file"), `${container.id}:/src`], /would replace a folder/],
    [[`${local}/.`, `${container.id}:/dir/file`], /"\/dir\/file": it is not a folder/],
    [["/no/such", `${container.id}:/dir`], /no such file or directory/i],
  ] as const) {
    const { code, stderr } = await berth(["cp", ...args]);
    t.is(code, 1, args.join(" "));
    t.regex(stderr, words);
    t.regex(stderr, /^berth: [^\n]*\n(hint: [^\n]*\n)?$/);
  }
  t.is(await readFile(join(local, "file"), "utf8"), "mine");
  t.is(await container.output("cat", "/dir/file"), "file");
  await pod.remove();
});

test("links in a container are followed as the container would, and never out of it", async (t) => {
  const { pod, container } = await sleeping();
  const local = await folder(t);
  const secret = await folder(t);
  await writeFile(join(secret, "secret"), "of the node");
  const up = "../".repeat(20);
  await container.output(
    "sh",
    "-c",
    `ln -s ${secret} /absolute && ln -s ${up}${secret.slice(1)} /relative && ln -s /proc/1/root${secret} /magic && ln -s /proc/self/cwd${secret} /cwd
     mkdir -p /parts && ln -s ${secret} /parts/folder && ln -s ${secret}/secret /parts/file`,
  );
  await writeFile(join(local, "file"), "from outside");
  for (const link of ["absolute", "relative", "magic", "cwd"]) {
    for (const path of [`/${link}/secret`, `/${link}/`, `/${link}/../secret`]) {
      const { code, stderr } = await berth(["cp", "-L", `${container.id}:${path}`, join(local, "got")]);
      t.is(code, 1, path);
      t.regex(stderr, /No such file or directory|Too many levels of symbolic links|Permission denied/, path);
    }
    t.is((await berth(["cp", join(local, "file"), `${container.id}:/${link}/file`])).code, 1, link);
    t.is((await berth(["cp", join(local, "file"), `${container.id}:/${link}/`])).code, 1, link);
  }
  await succeeds("cp", `${container.id}:/parts`, local);
  t.is(await readlink(join(local, "parts/folder")), secret, "below the top links stay links");
  // The container's own folder of that name is what its links lead to.
  await container.output("sh", "-c", `mkdir -p ${secret} && echo own > ${secret}/secret`);
  await succeeds("cp", `${container.id}:/relative/secret`, join(local, "own"));
  t.is(await readFile(join(local, "own"), "utf8"), "own\n");
  await succeeds("cp", join(local, "file"), `${container.id}:/absolute/file`);
  t.is(await container.output("cat", `${secret}/file`), "from outside");
  t.deepEqual(await readdir(secret), ["secret"], "nothing was written on the node");
  t.is(await readFile(join(secret, "secret"), "utf8"), "of the node");
  await pod.remove();
});

test("a folder that becomes a link while it is copied leads nowhere", async (t) => {
  const local = await folder(t);
  const outside = await folder(t);
  await writeFile(join(outside, "secret"), "of the node");
  await mkdir(join(outside, "sub"));
  const before = await treeOf(outside);
  const { pod, container } = await sleeping();
  await container.output("mkdir", "-p", "/race/a/sub");
  const swapper = await pod.start("swapper", ["sleep", "1000"]);
  await swapper.stop();
  // In the container itself: a folder and a link to the node's path by turns, as fast as it goes.
  const racing = container.exec(["sh", "-c", `cd /race; ln -s ${outside} l; while :; do mv a b; mv l a; mv a l; mv b a; done`], 8);
  await mkdir(join(local, "a/sub"), { recursive: true });
  await writeFile(join(local, "a/secret"), "from outside");
  for (let round = 0; round < 15; round++) {
    const got = join(local, `got-${round}`);
    await mkdir(got);
    // Either it goes well, with what the container has, or it fails; it never reads or writes on the node.
    await Promise.all([berth(["cp", `${container.id}:/race`, got]), berth(["cp", `${local}/a`, `${container.id}:/race`])]);
    t.notRegex(await run("/bin/busybox", "sh", "-c", 'grep -r "of the node" "$0" || true', got), /of the node/);
  }
  t.is(await treeOf(outside), before);
  await container.stop();
  await racing.catch(() => {});
  await pod.remove();
});

test("switches of the kernel are neither read nor written, whatever leads to them", async (t) => {
  const { pod, container } = await sleeping({ linux: { security_context: { privileged: true } } });
  const local = await folder(t);
  await writeFile(join(local, "domainname"), "from outside");
  await container.output(
    "sh",
    "-c",
    "ln -s /proc/sys/kernel /switches && mkdir /mixed && mkdir /mixed/proc && mount -t proc proc /mixed/proc && echo x > /mixed/file",
  );
  for (const args of [
    [`${container.id}:/proc/version`, local],
    [`${container.id}:/sys`, local],
    [join(local, "domainname"), `${container.id}:/switches/domainname`],
    [join(local, "domainname"), `${container.id}:/switches`],
  ]) {
    const { code, stderr } = await berth(["cp", ...args]);
    t.is(code, 1);
    t.regex(stderr, /is in a file system of the kernel/);
  }
  const { code, stderr } = await berth(["cp", `${container.id}:/mixed`, local]);
  t.is(code, 0, stderr);
  t.regex(stderr, /left out 1 /);
  t.deepEqual((await readdir(join(local, "mixed"), { recursive: true })).sort(), ["file", "proc"]);
  await pod.remove();
});

test("sockets, pipes and devices are left out and counted, and set-user-ID bits stay behind", async (t) => {
  const { pod, container } = await sleeping();
  const local = await folder(t);
  await container.output("sh", "-c", "mkdir /odd && cd /odd && mkfifo pipe && mknod null c 1 3 && echo x > program && chmod 6755 program");
  const { code, stderr } = await berth(["cp", `${container.id}:/odd`, local]);
  t.is(code, 0, stderr);
  t.regex(stderr, /^berth: left out 2 /);
  t.deepEqual(await readdir(join(local, "odd")), ["program"]);
  t.is((await stat(join(local, "odd/program"))).mode & 0o7777, 0o755);
  t.is((await berth(["cp", `${container.id}:/odd/pipe`, local])).code, 1);
  await pod.remove();
});

test("owners are root's or the caller's, and with -a those of the source", async (t) => {
  const { pod, container } = await sleeping();
  const local = await folder(t);
  await container.output("sh", "-c", "mkdir /own && touch /own/file && chown -R 1000:2000 /own");
  await succeeds("cp", `${container.id}:/own`, join(local, "plain"));
  await succeeds("cp", "-a", `${container.id}:/own`, join(local, "kept"));
  const owner = async (path: string) => {
    const { uid, gid } = await stat(join(local, path));
    return [uid, gid];
  };
  t.deepEqual(
    [await owner("plain/file"), await owner("kept/file"), await owner("kept")],
    [
      [0, 0],
      [1000, 2000],
      [1000, 2000],
    ],
  );
  await succeeds("cp", join(local, "kept"), `${container.id}:/root-owned`);
  await succeeds("cp", "-a", join(local, "kept"), `${container.id}:/kept`);
  t.is(await container.output("stat", "-c", "%u:%g", "/root-owned/file", "/kept/file"), "0:0\n1000:2000");
  await pod.remove();
});

test("a link at the source is copied as a link, and with -L what it leads to", async (t) => {
  const { pod, container } = await sleeping();
  const local = await folder(t);
  await container.output("sh", "-c", "echo content > /real && ln -s real /link && ln -s /etc /folder");
  await succeeds("cp", `${container.id}:/link`, local);
  t.is(await readlink(join(local, "link")), "real");
  await succeeds("cp", "-L", `${container.id}:/link`, join(local, "followed"));
  t.is(await readFile(join(local, "followed"), "utf8"), "content\n");
  await succeeds("cp", `${container.id}:/folder/`, join(local, "etc"));
  t.true((await readdir(join(local, "etc"))).includes("passwd"));
  await symlink("followed", join(local, "outer"));
  await succeeds("cp", join(local, "outer"), `${container.id}:/outer`);
  await succeeds("cp", "-L", join(local, "outer"), `${container.id}:/inner`);
  t.is(await container.output("sh", "-c", "readlink /outer; cat /inner"), "followed\ncontent");
  await pod.remove();
});

test("a container without a shell is copied from and to while it is created, running and exited", async (t) => {
  await succeeds("load", demoImage);
  const pod = await Pod.run(node());
  const image = { image: { image: "localhost/berth-demo:latest" }, command: [], args: ["serve"] };
  const container = await pod.create("demo", [], image);
  const local = await folder(t);
  await writeFile(join(local, "note"), "hello");
  const there = async (name: string) => {
    await succeeds("cp", join(local, "note"), `${container.id}:/${name}`);
    await succeeds("cp", `${container.id}:/${name}`, local);
    t.is(await readFile(join(local, name), "utf8"), "hello");
  };
  await there("created");
  await container.start();
  await there("running");
  await succeeds("cp", `${container.id}:/created`, join(local, "again"));
  await container.stop();
  await container.reached("CONTAINER_EXITED");
  await there("exited");
  await pod.stop();
  const { code, stderr } = await berth(["cp", `${container.id}:/exited`, local]);
  t.is(code, 1);
  t.regex(stderr, /its pod is notready/);
  await pod.remove();
});

test("a running container's volumes are seen, read-only ones are not written, and of a container that ended none is", async (t) => {
  const volume = await folder(t);
  const local = await folder(t);
  await writeFile(join(volume, "data"), "of the volume");
  const mounts = [
    { host_path: volume, container_path: "/data" },
    { host_path: volume, container_path: "/fixed", readonly: true },
  ];
  const { pod, container } = await sleeping({ mounts, linux: { security_context: { readonly_rootfs: true } } });
  await succeeds("cp", `${container.id}:/data/data`, local);
  t.is(await readFile(join(local, "data"), "utf8"), "of the volume");
  await succeeds("cp", join(local, "data"), `${container.id}:/data/new`);
  t.is(await readFile(join(volume, "new"), "utf8"), "of the volume");
  for (const path of ["/fixed/new", "/new"])
    t.regex((await berth(["cp", join(local, "data"), `${container.id}:${path}`])).stderr, /Read-only file system/);
  await container.stop();
  await container.reached("CONTAINER_EXITED");
  t.regex(
    (await berth(["cp", `${container.id}:/data/data`, local])).stderr,
    /\/data\/data is in the mount at \/data, which is there while the container runs/,
  );
  await pod.remove();
});

test("a full disk is told as such", async (t) => {
  const small = await folder(t);
  await run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", small);
  t.teardown(() => run("umount", small));
  const local = await folder(t);
  await writeFile(join(local, "large"), Buffer.alloc(4 * 1024 * 1024, 1));
  const { pod, container } = await sleeping({ mounts: [{ host_path: small, container_path: "/small" }] });
  const { code, stderr } = await berth(["cp", join(local, "large"), `${container.id}:/small/`]);
  t.is(code, 1);
  t.regex(stderr, /write "large": No space left on device/);
  await pod.remove();
});

test('"-" is a tar, of any tar program', async (t) => {
  const { pod, container } = await sleeping();
  const local = await folder(t);
  await container.output("sh", "-c", "mkdir -p /some/sub && echo x > /some/sub/file");
  const { stdout } = await berth(["cp", `${container.id}:/some`, "-"]);
  await writeFile(join(local, "out.tar"), stdout);
  const names = await run("tar", "-t", "-f", join(local, "out.tar"));
  t.deepEqual(names.trim().split("\n"), ["some/", "some/sub/", "some/sub/file"]);
  await run("sh", "-c", 'cd "$0" && mkdir in && echo y > in/y && ln in/y in/z && tar -c -f in.tar in', local);
  t.like(await berth(["cp", "-", `${container.id}:/some`], await readFile(join(local, "in.tar"))), { code: 0 });
  t.is(await container.output("sh", "-c", "cat /some/in/z && stat -c %h /some/in/y"), "y\n2");
  await pod.remove();
});

for (const [what, entries, words] of [
  ["a name that leads up", [{ name: "../../escaped", content: "evil" }], /entry "\.\.\/\.\.\/escaped" has "\.\." in its name/],
  ["a device", [{ name: "device", device: [1, 3] }], /entry "device" is neither a file, a folder nor a link/],
  [
    "a file below a link to a file",
    [
      { name: "l", link: "/etc/passwd" },
      { name: "l/x", content: "evil" },
    ],
    /Not a directory/,
  ],
  ["a hard link to nothing", [{ name: "h", hardLink: "../../etc/shadow" }], /has "\.\." in its name/],
] as const) {
  test(`a tar with ${what} is refused`, async (t) => {
    const { pod, container } = await sleeping();
    const { code, stderr } = await berth(["cp", "-", `${container.id}:/tmp`], makeTar(entries));
    t.is(code, 1);
    t.regex(stderr, words);
    await pod.remove();
  });
}

test("a file of a tar below a link goes where the container's link leads", async (t) => {
  const { pod, container } = await sleeping();
  const outside = await folder(t);
  const tar = makeTar([
    { name: "way", link: outside },
    { name: "way/file", content: "from outside" },
  ]);
  t.is((await berth(["cp", "-", `${container.id}:/tmp`], tar)).code, 1, "the container has no such folder");
  await container.output("mkdir", "-p", outside);
  t.is((await berth(["cp", "-", `${container.id}:/tmp`], tar)).code, 0);
  t.is(await container.output("cat", `${outside}/file`), "from outside");
  t.deepEqual(await readdir(outside), []);
  await pod.remove();
});

test("much goes through in little memory, and a caller who goes away ends the copy", async (t) => {
  const { pod, container } = await sleeping();
  await container.output("dd", "if=/dev/zero", "of=/large", "bs=1M", "count=160");
  const rssKib = async () => Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${node().pid}/status`, "utf8"))?.[1]);
  const copy = () => run("sh", "-c", '"$0" --socket "$1" cp "$2:/large" - | wc -c', join(programs, "berth"), node().socket, container.id);
  // The first one warms berthd up; what the next one takes is what a copy costs.
  await copy();
  const before = await rssKib();
  t.true(Number(await copy()) > 160 * 1024 * 1024);
  t.true((await rssKib()) - before < 80 * 1024, `${before} KiB before, ${await rssKib()} after`);
  // Nobody reads what it writes, so it waits in the middle.
  const args = ["--socket", node().socket, "cp", `${container.id}:/large`, "-"];
  const child = spawn(join(programs, "berth"), args, { stdio: ["ignore", "pipe", "ignore"] });
  const helper = await node().helperPid();
  await node().eventually("a copy is under way", async () => ((await copiers(helper)) > 0 ? true : undefined));
  child.kill("SIGKILL");
  await node().eventually("the copy has ended", async () => ((await copiers(helper)) === 0 ? true : undefined));
  await pod.remove();
});

/** How many processes of the helper copy. */
async function copiers(helper: number): Promise<number> {
  const pids = await childrenOf(helper);
  const commands = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")));
  return commands.filter((command) => command.endsWith("\0copy\0")).length;
}
