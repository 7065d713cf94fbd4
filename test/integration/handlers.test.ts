// Runtime handlers: those that are installed, those that the settings name, and what Status says of them.
import { chmod, copyFile, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { existsSync, openSync, readdirSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import test from "ava";
import { programs, TestNode } from "../lib/node.ts";
import { Pod } from "../lib/pods.ts";
import { shared } from "../lib/teardown.ts";

interface Status {
  readonly status: { readonly conditions: readonly { type: string; status: boolean; reason: string; message: string }[] };
  readonly runtime_handlers: readonly { name: string; features: { recursive_read_only_mounts: boolean; user_namespaces: boolean } }[];
  readonly features: { supplemental_groups_policy: boolean; mount_options: boolean };
}

interface Place {
  readonly node: TestNode;
  /** crun, the default */
  readonly program: string;
  /** of crun as the handler "marked": how the mount is shared on which it makes mounts for itself, by a line for each call */
  readonly mark: string;
  /** a crun of its own, as the handler "own" */
  readonly ownCrun: string;
  /** makes another program the handler "changing", from the next start of berthd on */
  readonly change: (path: string) => Promise<void>;
}

const place = shared<Place>(test, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "berth-handlers-"));
  t.teardown(() => rm(folder, { recursive: true }));
  const [program, mark] = [join(folder, "marked-crun"), join(folder, "mark")];
  // A question for its version is no call of a container's.
  const look = `findmnt -n -o PROPAGATION --target "\${_LIBCONTAINER_STATEDIR:-/tmp}" >>${mark}`;
  await writeFile(program, `#!/bin/sh\ncase "$*" in *--root*) ${look} ;; esac\nexec crun "$@"\n`);
  await chmod(program, 0o755);
  const own = join(folder, "default-crun");
  await writeFile(own, '#!/bin/sh\nexec crun "$@"\n');
  await chmod(own, 0o755);
  // What does not begin with the handler's own words is no call of this one.
  const strict = join(folder, "strict-crun");
  await writeFile(strict, '#!/bin/sh\ntest "$1 $2" = "--own words" || exit 9\nshift 2\nexec crun "$@"\n', { mode: 0o755 });
  const other = join(folder, "other-runc");
  await writeFile(other, '#!/bin/sh\nexec runc "$@"\n', { mode: 0o755 });
  const ownCrun = join(folder, "bin/crun");
  await mkdir(join(folder, "bin"));
  await copyFile("/usr/bin/crun", ownCrun);
  const runtimes = `marked=${program},strict=/usr/bin/env A=b ${strict} --own words,telling=${other},own=${ownCrun}`;
  const settings = join(folder, "berth.toml");
  const change = (path: string) => writeFile(settings, `runtimes = "${runtimes},changing=${path}"\n`);
  await change("/usr/bin/crun");
  const node = await TestNode.start(t, { flags: ["--runtime", own, "--config", settings] });
  return { node, program: own, mark, ownCrun, change };
});

const nodeStatus = (): Promise<Status> => place().node.cri.call<Status>("Status", {});

test("a handler of the settings runs the containers of pods that name it, and no others", async (t) => {
  const { node, mark } = place();
  const plain = await Pod.run(node);
  await plain.start("one", ["sleep", "1000"]);
  t.false(existsSync(mark));
  const pod = await Pod.run(node, {}, "marked");
  await pod.start("one", ["sleep", "1000"]);
  t.true(existsSync(mark));
  for (const each of [plain, pod]) await each.remove();
});

test("what crun mounts for itself goes to no other mount namespace, neither the node's nor that of another pod", async (t) => {
  const { node, mark } = place();
  await rm(mark, { force: true });
  const pod = await Pod.run(node, {}, "marked");
  await pod.start("one", ["sleep", "1000"]);
  const calls = (await readFile(mark, "utf8")).trimEnd().split("\n");
  t.true(calls.length >= 2, "create and start");
  t.deepEqual(new Set(calls), new Set(["private"]));
  await pod.remove();
});

test("crun is run from a mount that nobody can write to, and one that is replaced is used at once, be it a script", async (t) => {
  const { node, ownCrun } = place();
  const pod = await Pod.run(node, {}, "own");
  const container = await pod.start("one", ["sleep", "1000"]);
  const { shimPid } = JSON.parse((await pod.status()).info["info"] ?? "{}") as { shimPid: number };
  const { dev, ino } = statSync(ownCrun);
  const isOwnCrun = (path: string) => {
    const file = statSync(path, { throwIfNoEntry: false });
    return file?.ino === ino && file.dev === dev;
  };
  const held = readdirSync(`/proc/${shimPid}/fd`).map((name) => `/proc/${shimPid}/fd/${name}`);
  const [crun, ...others] = held.filter(isOwnCrun);
  t.deepEqual(others, []);
  t.throws(() => openSync(crun ?? "", "r+"), { code: "EROFS" });
  const [next, used] = [`${ownCrun}.next`, `${ownCrun}.used`];
  await writeFile(next, `#!/bin/sh\ntouch ${used}\nexec /usr/bin/crun "$@"\n`, { mode: 0o755 });
  await rename(next, ownCrun);
  t.is(await container.output("echo", "said"), "said");
  t.true(existsSync(used));
  await container.remove();
  await pod.remove();
});

test("a handler's own arguments come first in every call of it", async (t) => {
  const pod = await Pod.run(place().node, {}, "strict");
  const container = await pod.start("one", ["sleep", "1000"]);
  t.is(await container.output("echo", "said"), "said");
  await container.remove();
  await pod.remove();
});

test("a handler may get another runtime: what runs goes on with the one that has started it", async (t) => {
  const { node, change } = place();
  const pod = await Pod.run(node, {}, "changing");
  const old = await pod.start("old", ["sleep", "1000"]);
  await node.shutdown();
  await change(join(programs, "berth-runtime"));
  await node.boot();
  const next = await pod.start("next", ["sleep", "1000"]);
  for (const container of [old, next, old]) t.is(await container.output("echo", "said"), "said");
  for (const container of [old, next]) await container.remove();
  await pod.remove();
});

test("a handler that nobody has named is refused before anything is made", async (t) => {
  const { node } = place();
  const refused = Pod.run(node, {}, "nobody");
  await t.throwsAsync(refused, { code: status.INVALID_ARGUMENT, message: /runtime handler "nobody" is not one of .*"marked"/ });
  t.deepEqual(await node.cri.call("ListPodSandbox", {}), { items: [] });
});

test("Status lists each handler with what it can, the default one without a name", async (t) => {
  const { runtime_handlers: handlers, features } = await nodeStatus();
  const names = handlers.map(({ name }) => name);
  t.is(names[0], "");
  t.true(names.includes("marked") && names.includes("crun"));
  t.is(new Set(names).size, names.length);
  // Of a program with another name nobody knows whether it can, unless it tells its features.
  for (const { name, features: own } of handlers) {
    t.deepEqual(
      own,
      { recursive_read_only_mounts: true, user_namespaces: ["crun", "runc", "direct", "telling", "own", "changing"].includes(name) },
      name,
    );
  }
  t.like(features, { supplemental_groups_policy: true, mount_options: true });
});

test("Status tells people of each handler's program, arguments and version", async (t) => {
  const { info } = await place().node.cri.call<{ info: Record<string, string> }>("Status", { verbose: true });
  const { runtimes } = JSON.parse(info["config"] ?? "{}");
  const of = (wanted: string) => runtimes.find(({ name }: { name: string }) => name === wanted);
  t.like(of("crun"), { args: [], userNamespaces: true });
  t.like(of("direct"), { path: join(programs, "berth-runtime"), args: [], userNamespaces: true, checkpoints: false });
  t.regex(of("crun").version, /^crun version 1\./);
  t.like(of("strict"), { path: "/usr/bin/env", userNamespaces: false });
  t.deepEqual(of("strict").args.slice(2), ["--own", "words"]);
  t.true(of("telling").namespaces.includes("user"));
});

test("the runtime is not ready while its program is gone, and Status says why", async (t) => {
  const { program } = place();
  const ready = async () => (await nodeStatus()).status.conditions.find(({ type }) => type === "RuntimeReady");
  t.like(await ready(), { status: true, reason: "" });
  await rename(program, `${program}.away`);
  t.like(await ready(), { status: false, reason: "RuntimeNotFound", message: `${program} is not there any more` });
  await rename(`${program}.away`, program);
  t.like(await ready(), { status: true, message: "" });
});
