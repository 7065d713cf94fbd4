// What a node keeps in its folders and sockets is for root: other logins of the machine and containers of its network reach none of it.
import { execFile } from "node:child_process";
import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { chmod, chown } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import test from "ava";
import { TestNode } from "../lib/node.ts";
import { Pod } from "../lib/pods.ts";
import { shared } from "../lib/teardown.ts";

const run = promisify(execFile);
const NOBODY = 65_534;

const place = shared(test, async (t) => {
  // Whoever starts a node may have said that files are everybody's.
  const umask = process.umask(0);
  const node = await TestNode.start(t).finally(() => process.umask(umask));
  // The way to its folders is open; they have to be closed themselves.
  await chmod(node.folder, 0o755);
  const pod = await Pod.run(node, { linux: { security_context: { namespace_options: { network: "NODE" } } } });
  const container = await pod.start("one", ["sleep", "1000"], { linux: { security_context: { namespace_options: { network: "NODE" } } } });
  await Pod.run(node).then((other) => other.start("one", ["sleep", "1000"]));
  return { node, container, pod };
});

const modeOf = (path: string): string => (lstatSync(path).mode & 0o7777).toString(8);

interface Socket {
  readonly inode: string;
  readonly path: string;
}

/** @source proc_pid_net(5) */
const socketsOf = (text: string): Socket[] =>
  text
    .split("\n")
    .slice(1)
    .flatMap((line) => {
      const [, , , , , , inode = "", path = ""] = line.trim().split(/\s+/);
      return path === "" ? [] : [{ inode, path }];
    });

/** Processes of the node: berthd, its helper, and the shims. */
async function processes(): Promise<number[]> {
  const { node } = place();
  const shims = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return (
          readFileSync(`/proc/${pid}/comm`, "utf8") === "berth-shim\n" &&
          readFileSync(`/proc/${pid}/mountinfo`, "utf8").includes(node.folder)
        );
      } catch {
        return false;
      }
    });
  return [node.pid, await node.helperPid(), ...shims];
}

// CVE-2021-41103, CVE-2024-25621
test("root is closed, state can be passed through only, and a pod's state is closed, whatever the umask was", async (t) => {
  const { node } = place();
  t.is(modeOf(node.root), "700");
  t.is(modeOf(node.state), "711");
  const pods = join(node.state, "pods");
  for (const name of readdirSync(pods)) t.is(modeOf(join(pods, name)), "700");
});

test("another login of the machine finds nothing to read, to run or to write, beside the node's own socket's name", async (t) => {
  const { node } = place();
  const paths = [node.root, node.state].flatMap((folder) => [
    folder,
    ...readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) => join(folder, name)),
  ]);
  const script = 'while IFS= read -r path; do for right in r w x; do [ -$right "$path" ] && echo "$right $path"; done; done; true';
  const asked = run("sh", ["-c", script], { uid: NOBODY, gid: NOBODY, maxBuffer: 2 ** 24 });
  asked.child.stdin?.end(`${paths.filter((path) => !path.includes("\n")).join("\n")}\n`);
  const found = (await asked).stdout.trim().split("\n").filter(Boolean);
  t.true(paths.length > 100, `${paths.length} paths were tried`);
  const folders = [node.state, ...["pods", "s"].map((name) => join(node.state, name))].map((path) => `x ${path}`);
  t.deepEqual(
    found.filter((line) => !folders.includes(line)),
    [],
  );
});

// CVE-2020-15257
test("no socket of the node is abstract, and each is closed to others", async (t) => {
  const { node } = place();
  const sockets: Socket[] = [];
  for (const pid of await processes()) {
    const own = new Set(readdirSync(`/proc/${pid}/fd`).map((name) => link(`/proc/${pid}/fd/${name}`)));
    sockets.push(...socketsOf(readFileSync(`/proc/${pid}/net/unix`, "utf8")).filter(({ inode }) => own.has(`socket:[${inode}]`)));
  }
  t.true(sockets.length >= 4, "berthd's, the helper's, and a shim's for each pod");
  t.deepEqual(
    sockets.filter(({ path }) => path.startsWith("@")),
    [],
  );
  for (const path of new Set(sockets.map((socket) => socket.path))) {
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat !== undefined) t.is(modeOf(path), path === node.socket ? "660" : "600", path);
  }
});

test("from a container of the node's network no socket that it can see the name of can be reached", async (t) => {
  const { container, node } = place();
  const seen = socketsOf(await container.output("cat", "/proc/net/unix")).map(({ path }) => path);
  t.true(seen.includes(node.socket), "it is in the node's network");
  t.deepEqual(
    seen.filter((path) => path.startsWith("@") && /berth|shim|helper/.test(path)),
    [],
  );
  for (const path of new Set(seen.filter((each) => each.startsWith(node.folder)))) {
    t.not((await container.exec(["test", "-e", path])).exit_code, 0, path);
  }
});

test("what berthd has compiled serves its next start, goes with its build, and is left alone where somebody else could write to it", async (t) => {
  const { node } = place();
  const folder = join(node.root, "compile-cache");
  const builds = (): string[] => readdirSync(folder);
  const files = (): string[] =>
    readdirSync(folder, { recursive: true, encoding: "utf8" })
      .map((name) => ({ name, stat: lstatSync(join(folder, name)) }))
      .filter(({ stat }) => stat.isFile())
      .map(({ name, stat }) => `${name} ${stat.ino} ${stat.mtimeMs}`);
  await node.eventually("it is kept", async () => (builds().length === 1 && files().length > 0) || undefined);
  const kept = files();
  mkdirSync(join(folder, "of-another-build"));
  await node.crash();
  await node.boot();
  await node.eventually("what is of another build has gone", async () => builds().length === 1 || undefined);
  t.deepEqual(files(), kept, "nothing had to be compiled again");
  t.teardown(() => chown(folder, 0, 0));
  await chown(folder, NOBODY, NOBODY);
  mkdirSync(join(folder, "of-another-build"));
  await node.crash();
  await node.boot();
  await node.eventually("that is told", async () => node.log.includes(`${folder} is not ours alone: it is user ${NOBODY}'s`) || undefined);
  t.is(builds().length, 2);
});

function link(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}
