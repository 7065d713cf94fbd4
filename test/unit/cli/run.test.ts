import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import test, { type ExecutionContext } from "ava";
import { SecurityProfile_ProfileType as ProfileType } from "../../../src/generated/cri/runtime/v1/api.ts";
import { FakeNode } from "./fake-node.ts";

const line = (text: string, stream = "stdout"): string => `T ${stream} F ${text}\n`;
const IMAGE = "a.example/web:1";

async function nodeWithImage(t: ExecutionContext): Promise<FakeNode> {
  const node = await FakeNode.start(t);
  node.images.add(IMAGE);
  return node;
}

const run = (node: FakeNode, ...args: string[]) => node.berth(["run", "--log-root", join(node.folder, "logs"), ...args]);

test("a container in the foreground has its output and its exit code passed on", async (t) => {
  const node = await nodeWithImage(t);
  node.program = { log: line("hello") + line("bad", "stderr"), exitCode: 7 };
  t.deepEqual(await run(node, IMAGE), { code: 7, stdout: "hello\n", stderr: "bad\n" });
  t.is(node.pods.size, 1);
});

test("with --rm all that the run has made is gone at its end, logs too", async (t) => {
  const node = await nodeWithImage(t);
  node.program = { log: line("hello"), exitCode: 0 };
  t.like(await run(node, "--rm", "--pod", "shop", IMAGE), { code: 0, stdout: "hello\n" });
  t.is(node.pods.size, 0);
  t.deepEqual(await readdir(join(node.folder, "logs")), []);
});

test("an image that is missing is pulled, and said so", async (t) => {
  const node = await FakeNode.start(t);
  t.like(await run(node, "busybox"), { code: 0, stderr: "berth: pulls busybox\n" });
});

test("a second run joins the pod that the first has made, and --rm leaves that pod", async (t) => {
  const node = await nodeWithImage(t);
  await run(node, "-d", "--pod", "shop", "--name", "web", IMAGE);
  await run(node, "--rm", "--pod", "shop", "--name", "job", IMAGE);
  t.is(node.calls.filter((call) => call === "RunPodSandbox").length, 1);
  t.deepEqual(
    [...node.containers.values()].map(({ metadata }) => metadata?.name),
    ["web"],
  );
});

test("a run that fails leaves nothing behind", async (t) => {
  const node = await nodeWithImage(t);
  node.failures.set("StartContainer", { code: status.INTERNAL, details: "start container: no such program" });
  t.deepEqual(await run(node, IMAGE, "nope"), { code: 125, stdout: "", stderr: "berth: start container: no such program\n" });
  t.is(node.pods.size, 0);
});

test("a run that fails in a pod that was there leaves the pod", async (t) => {
  const node = await nodeWithImage(t);
  node.addPod("shop");
  node.failures.set("StartContainer", { code: status.INTERNAL, details: "start container: no such program" });
  t.is((await run(node, "--pod", "shop", IMAGE)).code, 125);
  t.is(node.pods.size, 1);
  t.is(node.containers.size, 0);
});

test("an interrupt stops the container, and the exit code is still its own", async (t) => {
  const node = await nodeWithImage(t);
  node.program = { log: line("ready") };
  const running = run(node, IMAGE);
  await node.called("ContainerStatus", 2);
  node.signal();
  t.like(await running, { code: 143, stdout: "ready\n" });
  t.true(node.calls.includes("StopContainer c1 10"));
});

test("a second interrupt leaves the container behind", async (t) => {
  const node = await nodeWithImage(t);
  node.program = { log: "" };
  node.failures.set("StopContainer", { code: status.UNAVAILABLE, details: "busy" });
  const running = run(node, "--rm", IMAGE);
  await node.called("ContainerStatus", 2);
  node.signal();
  node.signal();
  t.is((await running).code, 130);
  t.is(node.containers.size, 1);
});

test("an interrupt before the start takes back what was made", async (t) => {
  const node = await nodeWithImage(t);
  const running = run(node, IMAGE);
  await node.called("RunPodSandbox", 1);
  node.signal();
  const { code, stderr } = await running;
  t.is(code, 130);
  t.regex(stderr, /^berth: interrupted by SIGINT\n$/);
  t.is(node.pods.size, 0);
  t.false(node.calls.includes("StartContainer"));
});

test("options after the image belong to the command", async (t) => {
  const node = await nodeWithImage(t);
  t.is((await run(node, IMAGE, "-d", "--name", "x")).code, 0);
  t.is([...node.containers.values()][0]?.metadata?.name, "web");
});

for (const [details, code] of [
  ["start container c1: oci create: executable file `/nope` not found in $PATH: No such file or directory", 127],
  ['exec in container c1: exec: "nope": executable file not found in $PATH', 127],
  ["start container c1: oci create: open executable: Permission denied", 126],
  ["start container c1: oci create: exec format error", 126],
  ['start container c1: oci run: exec "/nope": No such file or directory (os error 2)', 127],
  ['start container c1: oci run: exec "/etc": Permission denied (os error 13)', 126],
  ["create container: no such capability", 125],
] as const) {
  test(`what did not run ends with ${code}: ${details}`, async (t) => {
    const node = await nodeWithImage(t);
    node.failures.set("StartContainer", { code: status.INVALID_ARGUMENT, details });
    t.like(await run(node, IMAGE), { code, stderr: `berth: ${details}\n` });
  });
}

test("variables of a file come before those of the command line, and --pull says when an image is fetched", async (t) => {
  const node = await nodeWithImage(t);
  const file = join(node.folder, "env");
  await writeFile(file, "A=file\nB=file\n");
  await run(node, "-d", "--env-file", file, "-e", "B=line", "--pull", "never", IMAGE);
  const [config] = node.created;
  t.deepEqual(
    config?.envs.map(({ key, value }) => `${key}=${Buffer.from(value).toString()}`),
    ["A=file", "B=file", "B=line"],
  );
  t.false(node.calls.includes("PullImage"));
  await run(node, "-d", "--pull", "always", IMAGE);
  t.true(node.calls.includes(`PullImage ${IMAGE}`));
  const refused = await run(node, "--pull", "never", "other.example/app");
  t.like(refused, { code: 125, stderr: "berth: run other.example/app: the image is not on this node, and is not to be pulled\n" });
});

test("profiles are asked for in our words or in Docker's", async (t) => {
  const node = await nodeWithImage(t);
  await run(node, "-d", "--apparmor", "mine", "--seccomp", "unconfined", "--no-new-privileges", IMAGE);
  const dockers = ["apparmor=mine", "seccomp=unconfined", "no-new-privileges"].flatMap((option) => ["--security-opt", option]);
  await run(node, "-d", ...dockers, IMAGE);
  const [ours, theirs] = node.created.map(({ linux }) => linux?.securityContext);
  t.like(ours, { apparmor: { localhostRef: "mine" }, seccomp: { profileType: ProfileType.Unconfined }, noNewPrivs: true });
  t.deepEqual(theirs, ours);
});
