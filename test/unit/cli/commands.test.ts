import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { status } from "@grpc/grpc-js";
import test from "ava";
import { ContainerState, PodSandboxState } from "../../../src/generated/cri/runtime/v1/api.ts";
import { FakeNode, NOW_MS } from "./fake-node.ts";

const EXITED = ContainerState.CONTAINER_EXITED;

test("versions are told of both sides, and of the client without a node", async (t) => {
  const node = await FakeNode.start(t);
  t.deepEqual(await node.berth(["version"]), { code: 0, stdout: "client  berth 1.2.3\nnode    berth 9.9, CRI v1\n", stderr: "" });
  t.deepEqual((await node.berth(["version", "--client", "--socket", "/nowhere"])).stdout, "client  berth 1.2.3\n");
});

test("pods are listed newest first, and only a ready one has its address asked for", async (t) => {
  const node = await FakeNode.start(t);
  node.addPod("old", { state: PodSandboxState.SANDBOX_NOTREADY });
  node.addPod("new", { createdAt: BigInt(NOW_MS - 5000) * 1_000_000n });
  const { stdout } = await node.berth(["pods"]);
  const lines = stdout.trim().split("\n");
  t.regex(lines[1] ?? "", /^a200000000000 +new +default +ready +10\.88\.0\.2 +5s$/);
  t.regex(lines[2] ?? "", /^a100000000000 +old +default +notready +- /);
  t.is(node.calls.filter((call) => call === "PodSandboxStatus").length, 1);
  t.like(JSON.parse((await node.berth(["pods", "-o", "json"])).stdout)[0], { name: "new", id: "a2".padEnd(64, "0") });
});

test("ps lists what runs, and with -a what has exited and how", async (t) => {
  const node = await FakeNode.start(t);
  const shop = node.addPod("shop");
  node.addContainer(shop, "web");
  node.addContainer(shop, "job", { state: EXITED, exitCode: 3 });
  node.addContainer(node.addPod("bank"), "web");
  const names = (stdout: string) =>
    stdout
      .trim()
      .split("\n")
      .slice(1)
      .map((each) => each.split(/ +/).slice(1, 5).join(" "));
  t.deepEqual(names((await node.berth(["ps"])).stdout), ["web shop running -", "web bank running -"]);
  t.deepEqual(names((await node.berth(["ps", "-a", "shop"])).stdout), ["web shop running -", "job shop exited 3"]);
});

test("exec passes on output and exit code, and leaves the command's options to it", async (t) => {
  const node = await FakeNode.start(t);
  node.addContainer(node.addPod("shop"), "web");
  t.deepEqual(await node.berth(["exec", "web", "ls", "-t", "--", "x"]), { code: 3, stdout: "ls|-t|--|x", stderr: "oops" });
});

test("bad usage ends with 2 in one line", async (t) => {
  const node = await FakeNode.start(t);
  for (const args of [
    ["exec", "-t", "web", "sh"],
    ["exec", "-i", "--timeout", "3", "web", "sh"],
    ["port-forward", "web", "http"],
    ["port-forward", "web", "8080:0"],
    ["run", "-m", "many", "x"],
    ["ps", "--nope"],
    ["nope"],
    ["logs"],
    ["run", "-d", "--rm", "x"],
    ["rmi"],
    ["inspect", "--type", "node", "x"],
    ["events"],
    ["events", "--since", ""],
    ["logs", "--since", "yesterday", "web"],
    ["stats", "--once", "-w"],
    ["completion", "tcsh"],
    ["save"],
    ["save", "--format", "zip", "x"],
    ["tag", "x"],
    ["prune", "volumes"],
  ]) {
    const { code, stderr } = await node.berth(args);
    t.is(code, 2, args.join(" "));
    t.regex(stderr, /^berth: .+\n$/, args.join(" "));
  }
  t.deepEqual(node.calls, []);
});

test("each command has help with an example", async (t) => {
  const node = await FakeNode.start(t);
  const { stdout: overview } = await node.berth(["--help"]);
  const commands = /^Commands:\n(.*?)\n\n/ms.exec(overview)?.[1] ?? "";
  const names = [...commands.matchAll(/^ {2}([a-z-]+) /gm)].map(([, name]) => name ?? "").filter((name) => name !== "help");
  t.true(names.length > 20);
  for (const name of names) {
    const { code, stdout } = await node.berth([name, "--help"]);
    t.is(code, 0);
    t.regex(stdout, new RegExp(`Examples:\n(.*\n)*.*berth ${name}`), name);
  }
});

test("a pod is stopped after its running containers, which have their grace period", async (t) => {
  const node = await FakeNode.start(t);
  const shop = node.addPod("shop");
  node.addContainer(shop, "web");
  node.addContainer(shop, "db");
  node.addContainer(shop, "done", { state: EXITED });
  t.like(await node.berth(["stop", "-t", "3", "shop"]), { code: 0, stdout: "shop\n" });
  t.deepEqual(node.calls.slice(2), ["StopContainer c1 3", "StopContainer c2 3", "StopPodSandbox"]);
});

test("a target that fails keeps no other from its turn", async (t) => {
  const node = await FakeNode.start(t);
  node.addContainer(node.addPod("shop"), "web");
  const { code, stdout, stderr } = await node.berth(["stop", "gone", "web", "lost"]);
  t.like({ code, stdout }, { code: 1, stdout: "web\n" });
  t.is(stderr.match(/^berth: find /gm)?.length, 2);
});

test("what is alive is removed only by force", async (t) => {
  const node = await FakeNode.start(t);
  node.addContainer(node.addPod("shop"), "web");
  t.regex((await node.berth(["rm", "shop"])).stderr, /it is ready; stop it first, or give -f/);
  t.regex((await node.berth(["rm", "web"])).stderr, /it is running; stop it first, or give -f/);
  t.is((await node.berth(["rm", "-f", "shop/web", "shop"])).code, 0);
  t.is(node.pods.size, 0);
});

test("a pod that was made for one container goes with it, but not while it has another", async (t) => {
  const node = await FakeNode.start(t);
  const annotations = { "berth.io/made-for-one": "true" };
  const [alone, shared, named] = [node.addPod("alone", { annotations }), node.addPod("shared", { annotations }), node.addPod("named")];
  for (const [pod, name] of [
    [alone, "one"],
    [shared, "two"],
    [shared, "three"],
    [named, "four"],
  ] as const)
    node.addContainer(pod, name);
  t.is((await node.berth(["rm", "-f", "one", "two", "four"])).code, 0);
  t.deepEqual([...node.pods.keys()], [shared, named]);
  t.is(node.containers.size, 1);
  t.is((await node.berth(["rm", "-f", "three"])).code, 0);
  t.deepEqual([...node.pods.keys()], [named], "with its last container it goes");
});

test("an archive goes to the node in pieces of at most a mebibyte", async (t) => {
  const node = await FakeNode.start(t);
  const archive = Readable.from([Buffer.alloc(5 * 1024 * 1024 + 7), Buffer.alloc(3)]);
  t.like(await node.berth(["load"], archive), { code: 0, stdout: "a.example/app:1 sha256:12\n" });
  t.is(node.loadedBytes, 5 * 1024 * 1024 + 10);
  t.true(node.calls.every((call) => Number(call.split(" ")[1]) <= 1024 * 1024));
});

test("a node that refuses an archive half way is told at once", async (t) => {
  const node = await FakeNode.start(t);
  node.failures.set("LoadImage", { code: status.RESOURCE_EXHAUSTED, details: "load image: too large" });
  const endless = Readable.from(
    (function* () {
      for (;;) yield Buffer.alloc(1024 * 1024);
    })(),
  );
  t.deepEqual(await node.berth(["load"], endless), { code: 1, stdout: "", stderr: "berth: load image: too large\n" });
});

test("an archive that can't be read is the failure that is told", async (t) => {
  const node = await FakeNode.start(t);
  t.regex((await node.berth(["load", "/nowhere/x.tar"])).stderr, /^berth: ENOENT.*\/nowhere\/x\.tar/);
});

test("an archive goes to standard output, or to a file that is there when all of it is", async (t) => {
  const node = await FakeNode.start(t);
  t.deepEqual(await node.berth(["save", "a.example/web:1"]), { code: 0, stdout: "an archive", stderr: "" });
  const file = join(node.folder, "web.tar");
  t.deepEqual(await node.berth(["save", "--format", "oci-archive", "-o", file, "a", "b"]), { code: 0, stdout: "", stderr: "" });
  t.is(await readFile(file, "utf8"), "an archive");
  t.deepEqual(
    node.calls.filter((call) => call !== "SaveImage cancelled"),
    ["SaveImage a.example/web:1 docker-archive", "SaveImage a,b oci-archive"],
  );
  node.failures.set("SaveImage", { code: status.FAILED_PRECONDITION, details: "save image: a layer is gone" });
  await writeFile(file, "the old one");
  t.deepEqual(await node.berth(["save", "-o", file, "a"]), { code: 1, stdout: "", stderr: "berth: save image: a layer is gone\n" });
  t.is(await readFile(file, "utf8"), "the old one");
  t.deepEqual(
    (await readdir(node.folder)).filter((name) => name.includes("tar")),
    ["web.tar"],
  );
});

test("an archive is not written to a terminal", async (t) => {
  const node = await FakeNode.start(t);
  node.isTerminal = true;
  t.like(await node.berth(["save", "x"]), {
    code: 2,
    stderr: "berth: standard output is a terminal: give -o FILE, or pipe the archive on\n",
  });
  t.deepEqual(node.calls, []);
});

test("an image is tagged by what it is found by", async (t) => {
  const node = await FakeNode.start(t);
  node.images.add("docker.io/library/web:latest");
  for (const text of ["web", "5555"]) t.deepEqual(await node.berth(["tag", text, "shop/web:1"]), { code: 0, stdout: "", stderr: "" });
  t.is((await node.berth(["tag", "nothing", "shop/web:1"])).code, 1);
  t.deepEqual(
    node.calls.filter((call) => call.startsWith("Tag")),
    Array.from({ length: 2 }, () => `TagImage sha256:${"5".repeat(64)} shop/web:1`),
  );
});

test("images and pulls are told with their names and ids", async (t) => {
  const node = await FakeNode.start(t);
  t.like(await node.berth(["pull", "a.example/web:1"]), { code: 0, stdout: "a.example/web:1 sha256:12 0.0s\n" });
  t.regex((await node.berth(["images"])).stdout, /^5555555555555 +a\.example\/web:1 +2\.0 MiB$/m);
});

test("a log's folder that is made with the pod goes with it, and only that", async (t) => {
  const node = await FakeNode.start(t);
  node.images.add("a.example/web:1");
  const root = join(node.folder, "logs");
  const { stdout } = await node.berth(["run", "-d", "--log-root", root, "--pod", "shop", "a.example/web:1"]);
  t.regex(stdout, /^a1000+ c1000+\n$/);
  const folder = [...node.pods.values()][0]?.logDirectory ?? "";
  t.true((await stat(folder)).isDirectory());
  t.is((await node.berth(["rm", "-f", "shop"])).code, 0);
  await t.throwsAsync(stat(folder), { code: "ENOENT" });
  t.true((await stat(root)).isDirectory());
});

test("credentials that can't be read are not repeated", async (t) => {
  const node = await FakeNode.start(t);
  t.deepEqual(await node.berth(["pull", "--creds", "secret", "a.example/web:1"]), {
    code: 2,
    stdout: "",
    stderr: "berth: --creds is not of the form USER:PASSWORD\n",
  });
});
