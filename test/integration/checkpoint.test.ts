// Checkpoints on a node that can't make them, for want of CRIU or by its fault: each is refused with the reason, the container goes
// on, and nothing is left. What CRIU does when it works is in test/vm/checkpoint.test.ts.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import test, { type ExecutionContext } from "ava";
import { berthOf } from "../lib/berth.ts";
import { TestNode } from "../lib/node.ts";
import { type Container, Pod } from "../lib/pods.ts";
import { shared } from "../lib/teardown.ts";

// Instead of criu, for a real runc.
const FAILING = "#!/bin/sh\nexit 1\n";
const HANGING = `#!/bin/sh
trap '' TERM
sleep 98767 &
sleep 98767
`;

interface Place {
  readonly node: TestNode;
  readonly folder: string;
}

const place = shared<Place>(test, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "berth-checkpoint-"));
  t.teardown(() => rm(folder, { recursive: true }));
  for (const [name, text] of Object.entries({ failing: FAILING, hanging: HANGING, none: "" })) {
    await mkdir(join(folder, name));
    if (text !== "") await writeFile(join(folder, name, "criu"), text, { mode: 0o755 });
  }
  await mkdir(join(folder, "archives"));
  const path = (name: string): string => `${name}=/usr/bin/env PATH=${join(folder, name)}:/usr/bin:/bin /usr/sbin/runc`;
  const bare = `none=/usr/bin/env PATH=${join(folder, "none")} /usr/sbin/runc`;
  const flags = ["--checkpoints", "true", "--runtimes", `${path("failing")},${path("hanging")},${bare}`];
  return { node: await TestNode.start(t, { flags }), folder };
});
const { berth } = berthOf(() => place().node);
const COUNT = ["sh", "-c", "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.05; done"];

const archive = (): string => join(place().folder, "archives", "one.tar");

const hanging = (): string[] =>
  readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, "latin1").includes("98767");
    } catch {
      return false;
    }
  });

function underWay(): string[] {
  const folder = join(place().node.root, "checkpoints");
  return existsSync(folder) ? readdirSync(folder) : [];
}

const hangs = (): Promise<true> => place().node.eventually("criu hangs", async () => (hanging().length > 0 ? (true as const) : undefined));

/** Neither on the disk of the node nor where the archive would be; and the container runs. */
async function goesOn(t: ExecutionContext, container: Container): Promise<void> {
  const lines = (await container.log()).length;
  await place().node.eventually("the container goes on", async () => ((await container.log()).length > lines + 1 ? true : undefined));
  t.is(await container.output("echo", "alive"), "alive");
  await nothingIsLeft(t);
}

async function nothingIsLeft(t: ExecutionContext): Promise<void> {
  t.deepEqual(underWay(), []);
  t.deepEqual(readdirSync(join(place().folder, "archives")), []);
  // A process that was killed is there for a moment more.
  await place().node.eventually("criu has gone", async () => (hanging().length === 0 ? true : undefined));
}

async function counting(handler: string): Promise<{ pod: Pod; container: Container }> {
  const pod = await Pod.run(place().node, {}, handler);
  const container = await pod.start("one", COUNT);
  await container.logged(/line 2/);
  return { pod, container };
}

/** The words of one that is refused as the container or the node is now. */
async function refused(t: ExecutionContext, container: Container): Promise<string> {
  const failure = await t.throwsAsync(container.checkpoint(archive()));
  t.like(failure, { code: status.FAILED_PRECONDITION });
  return String(failure?.message);
}

test("where criu is missing, a checkpoint is refused with what to install", async (t) => {
  const { pod, container } = await counting("none");
  t.regex(await refused(t, container), new RegExp(`checkpoint container ${container.id}: .*criu is not installed`));
  await goesOn(t, container);
  await pod.remove();
});

test("a criu that fails is told, and the command line ends with 1", async (t) => {
  const { pod, container } = await counting("failing");
  await refused(t, container);
  const { code, stderr } = await berth("checkpoint", container.id, archive());
  t.is(code, 1);
  t.regex(stderr, new RegExp(`checkpoint container ${container.id}: `));
  await goesOn(t, container);
  await pod.remove();
});

test("a runtime without CRIU is named, with what to do", async (t) => {
  const { pod, container } = await counting("crun");
  t.regex(await refused(t, container), /\/crun is built without CRIU: run the pod with a handler/);
  await goesOn(t, container);
  await pod.remove();
});

test("a criu that hangs is killed at the deadline, and the container goes on", async (t) => {
  const { pod, container } = await counting("hanging");
  t.like(await t.throwsAsync(container.checkpoint(archive(), 2)), { code: status.DEADLINE_EXCEEDED });
  await goesOn(t, container);
  await pod.remove();
});

test("a checkpoint ends with its caller, and a second one meanwhile is refused", async (t) => {
  const { pod, container } = await counting("hanging");
  const call = place().node.cri.cancellable("CheckpointContainer", { container_id: container.id, location: archive() });
  await hangs();
  t.like(await t.throwsAsync(container.checkpoint(archive())), { code: status.FAILED_PRECONDITION });
  call.cancel();
  await t.throwsAsync(call.answer);
  await place().node.eventually("it is taken back", async () => (underWay().length === 0 ? true : undefined));
  await goesOn(t, container);
  await pod.remove();
});

for (const way of ["stop", "remove"] as const) {
  test(`a ${way} does not wait for a checkpoint, and takes it back`, async (t) => {
    const { pod, container } = await counting("hanging");
    const call = t.throwsAsync(container.checkpoint(archive()));
    await hangs();
    await container[way]();
    t.like(await call, { code: status.CANCELLED });
    await nothingIsLeft(t);
    await pod.remove();
  });
}

test("a berthd that is killed during a checkpoint leaves the container running and nothing behind", async (t) => {
  const { node } = place();
  const { pod, container } = await counting("hanging");
  const call = t.throwsAsync(container.checkpoint(archive()));
  await hangs();
  await node.crash();
  await call;
  await node.boot();
  await node.eventually("its folder has gone", async () => (underWay().length === 0 ? true : undefined));
  await goesOn(t, container);
  await pod.remove();
});

test("what is asked wrongly is refused before anything is frozen", async (t) => {
  const { pod, container } = await counting("failing");
  for (const [location, timeout] of [
    ["relative.tar", 0],
    ["", 0],
    [archive(), -1],
    [archive(), 3601],
  ] as const)
    t.like(await t.throwsAsync(container.checkpoint(location, timeout)), { code: status.INVALID_ARGUMENT }, location);
  const archives = join(place().folder, "archives");
  await symlink(archives, join(place().folder, "way"));
  for (const [location, why] of [
    [archives, /what is there is no regular file/],
    [join(place().folder, "way"), /what is there is no regular file/],
    [join(place().folder, "way", "one.tar"), /a part of its path is a link/],
    [join(place().folder, "failing", "criu", "one.tar"), /open folder .*criu/],
  ] as const) {
    const failure = await t.throwsAsync(container.checkpoint(location), undefined, location);
    t.like(failure, { code: status.FAILED_PRECONDITION }, location);
    t.regex(String(failure?.message), why);
  }
  t.like(await t.throwsAsync(container.checkpoint(join(archives, "nowhere", "one.tar"))), { code: status.NOT_FOUND });
  const created = await pod.create("created", COUNT);
  t.like(await t.throwsAsync(created.checkpoint(archive())), { code: status.FAILED_PRECONDITION });
  t.like(await t.throwsAsync(place().node.cri.call("CheckpointContainer", { container_id: "f".repeat(64), location: archive() })), {
    code: status.NOT_FOUND,
  });
  await goesOn(t, container);
  await pod.remove();
});
