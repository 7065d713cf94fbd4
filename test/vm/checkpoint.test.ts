// Checkpoints by runc and CRIU: what is in the archive, that it can be restored by hand, and that the container goes on.
import { execFileSync, spawn } from "node:child_process";
import { lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { berthOf } from "../lib/berth.ts";
import { isRunning } from "../lib/kernel.ts";
import { TestNode } from "../lib/node.ts";
import { type Container, Pod } from "../lib/pods.ts";
import { shared } from "../lib/teardown.ts";

const node = shared(test, (t) => TestNode.start(t, { flags: ["--runtime", "runc", "--checkpoints", "true"] }));
const { berth, succeeds } = berthOf(node);
const LONGEST_SECONDS = 600;
const COUNT = "i=0; while :; do i=$((i+1)); echo count $i; echo $i > /tmp/count; sleep 0.1; done";

const run = (program: string, ...args: string[]): string => execFileSync(program, args, { encoding: "utf8" });

function folder(name: string): string {
  const path = join(node().folder, name);
  mkdirSync(path);
  return path;
}

/** Names of all members but folders. */
const membersOf = (archive: string): string[] =>
  run("tar", "-tf", archive)
    .split("\n")
    .filter((name) => name !== "" && !name.endsWith("/"));

const lastCount = async (container: Container): Promise<number> =>
  Number(/(\d+)$/.exec((await container.log()).findLast((line) => / count \d+$/.test(line)) ?? "")?.[1] ?? 0);

async function goesOn(t: ExecutionContext, container: Container, pid: number): Promise<void> {
  const count = await lastCount(container);
  await node().eventually("it counts on", async () => ((await lastCount(container)) > count + 2 ? true : undefined));
  t.is(await container.pid(), pid);
  t.is(await container.output("echo", "alive"), "alive");
  t.deepEqual(readdirSync(join(node().root, "checkpoints")), []);
}

test("a container is written to an archive that tools for checkpoints read, and counts on", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("counter", ["sh", "-c", `rm /bin/wget; ${COUNT}`]);
  await container.logged(/count 3$/);
  const pid = await container.pid();
  const archive = join(folder("archives"), "counter.tar");
  await succeeds("checkpoint", "--timeout", String(LONGEST_SECONDS), container.id, archive);
  await goesOn(t, container, pid);

  const { mode, nlink } = lstatSync(archive);
  t.deepEqual([mode & 0o777, nlink, readdirSync(join(archive, ".."))], [0o600, 1, ["counter.tar"]]);
  const members = membersOf(archive);
  t.deepEqual(members.filter((name) => !name.startsWith("checkpoint/")).sort(), [
    "config.dump",
    "dump.log",
    "rootfs-diff.tar",
    "spec.dump",
    "stats-dump",
    "status",
  ]);
  for (const image of ["inventory.img", "pstree.img", "core-1.img", "pages-1.img"]) t.true(members.includes(`checkpoint/${image}`), image);

  const copy = folder("copy");
  run("tar", "-xf", archive, "-C", copy);
  const read = (name: string): Record<string, unknown> => JSON.parse(readFileSync(join(copy, name), "utf8"));
  t.like(read("config.dump"), { id: container.id, name: "counter", rootfsImage: node().image, runtime: "runc", restored: false });
  t.like(read("status"), { Pid: pid, ExitCode: 0 });
  t.like(read("spec.dump"), { process: { args: ["sh", "-c", `rm /bin/wget; ${COUNT}`] } });
  const { entries } = JSON.parse(run("crit", "decode", "-i", join(copy, "checkpoint/inventory.img")));
  t.true(entries[0].img_version > 0);
  const diff = join(copy, "rootfs-diff.tar");
  t.true(membersOf(diff).includes("bin/.wh.wget"));
  t.regex(run("tar", "-xOf", diff, "tmp/count"), /^\d+\n$/);

  // Memory and file are of one moment.
  const restored = await restore(pod, container, copy);
  await pod.remove();
  const written = Number(run("tar", "-xOf", diff, "tmp/count"));
  t.true([written, written + 1, written + 2].includes(restored), `${restored} after ${written}`);
});

/** By runc, from a root made of the image and of the archive. @returns what it counts first */
async function restore(pod: Pod, container: Container, copy: string): Promise<number> {
  const { info } = await pod.status();
  const { shimPid } = JSON.parse(info["info"] ?? "{}");
  const bundle = run("find", join(node().state, "pods"), "-path", `*/containers/${container.id}`).trim();
  await container.stop();
  const inPod = ["-t", String(shimPid), "-m", "-n", "-i", "-u", "runc", "--root", join(copy, "runc"), "--log", join(copy, "restore.runc")];
  const command = ["restore", "--detach", "--image-path", join(copy, "checkpoint"), "--work-path", copy, "--bundle", bundle, "restored"];
  // Its output was a pipe, and has to be one again; what Node makes is none.
  const line = `nsenter ${[...inPod, ...command].join(" ")} </dev/null 2>&1 | cat`;
  const shell = spawn("sh", ["-c", line], { stdio: ["ignore", "pipe", "inherit"] });
  try {
    let output = "";
    for await (const text of shell.stdout.setEncoding("utf8")) {
      output += text;
      const counted = /^count (\d+)$/m.exec(output);
      if (counted !== null) return Number(counted[1]);
    }
    throw new Error(`restore: ${output} ${run("tail", "-n", "20", join(copy, "restore.log"))}`);
  } finally {
    execFileSync("nsenter", [...inPod, "delete", "--force", "restored"], { stdio: "ignore" });
  }
}

test("an archive replaces a file, and nothing else that has its name", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sh", "-c", COUNT]);
  await container.logged(/count 3$/);
  const pid = await container.pid();
  const places = folder("places");
  const there = join(places, "there.tar");
  writeFileSync(there, "old", { mode: 0o644 });
  await container.checkpoint(there, LONGEST_SECONDS);
  t.true(membersOf(there).includes("config.dump"));
  t.is(lstatSync(there).mode & 0o777, 0o600);

  mkdirSync(join(places, "folder"));
  symlinkSync(there, join(places, "link"));
  symlinkSync(places, join(node().folder, "way"));
  const before = readdirSync(places);
  for (const [location, why] of [
    [join(places, "folder"), /what is there is no regular file/],
    [join(places, "link"), /what is there is no regular file/],
    [join(node().folder, "way", "new.tar"), /a part of its path is a link/],
    [join(places, "nowhere", "new.tar"), /nowhere/],
  ] as const) {
    const failure = await t.throwsAsync(container.checkpoint(location, LONGEST_SECONDS), undefined, location);
    t.regex(String(failure?.message), why);
  }
  t.deepEqual(readdirSync(places), before);
  await goesOn(t, container, pid);
  await pod.remove();
});

test("a container that is stopped during its checkpoint ends, and its caller is told or has the archive", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sh", "-c", COUNT]);
  await container.logged(/count 3$/);
  const pid = await container.pid();
  const call = berth("checkpoint", container.id, join(node().folder, "stopped.tar"));
  await node().eventually("it is frozen", async () =>
    readFileSync(`/sys/fs/cgroup${await container.cgroupPath()}/cgroup.freeze`, "utf8") === "1\n" ? true : undefined,
  );
  await container.stop();
  await call;
  t.false(isRunning(pid));
  t.deepEqual(readdirSync(join(node().root, "checkpoints")), []);
  await pod.remove();
});
