// The berth command line against a real node, as a person types it.
import { execFile, spawn } from "node:child_process";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import test from "ava";
import { berthOf, type Outcome } from "../lib/berth.ts";
import { busyboxImage } from "../lib/busybox-image.ts";
import { demoImage, programs, TestNode } from "../lib/node.ts";
import { descriptorOf, jsonBlob, OCI_CONFIG, type TestImage } from "../lib/oci-image.ts";
import { shared } from "../lib/teardown.ts";

const node = shared(test, (t) => TestNode.start(t));

const { environment, berth, succeeds } = berthOf(node);

/** A command that goes on until it is interrupted. */
class Running {
  readonly #child;
  readonly ended: Promise<Outcome>;
  stdout = "";
  #stderr = "";

  constructor(...args: string[]) {
    const child = spawn(join(programs, "berth"), args, { env: environment(), stdio: ["ignore", "pipe", "pipe"] });
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr += text;
    });
    this.#child = child;
    this.ended = new Promise((resolve) => {
      child.once("close", (code) => resolve({ code: code ?? -1, stdout: this.stdout, stderr: this.#stderr }));
    });
  }

  async interrupt(): Promise<Outcome> {
    this.#child.kill("SIGINT");
    return await this.ended;
  }
}

test("a command runs in a pod of its own, and its output and exit code are ours", async (t) => {
  const image = node().image;
  const outcome = await berth("run", "--rm", image, "sh", "-c", "echo out; echo err >&2; exit 7");
  t.deepEqual(outcome, { code: 7, stdout: "out\n", stderr: "err\n" });
  t.notRegex(await succeeds("pods"), /ready/);
});

test("two containers of one pod, from their start to their end", async (t) => {
  const ids = await succeeds(
    "run",
    "-d",
    "--pod",
    "duo",
    "--name",
    "web",
    "-m",
    "64m",
    "--cpus",
    "0.5",
    "--pids",
    "32",
    node().image,
    "berth-demo",
    "serve",
  );
  t.regex(ids, /^[0-9a-f]{64} [0-9a-f]{64}\n$/);
  await succeeds("run", "-d", "--pod", "duo", "--name", "client", node().image, "sleep", "1000");
  t.regex(await succeeds("pods"), /duo +default +ready +10\.88\./);
  const list = await succeeds("ps", "duo");
  for (const name of ["web", "client"]) t.regex(list, new RegExp(`${name} +duo +running`));
  t.regex(await succeeds("exec", "duo/client", "berth-demo", "fetch", "--count", "1", "http://localhost:8080/"), /hello from duo/);
  t.regex(await succeeds("logs", "--tail", "1", "duo/web"), /^request 1 from/);
  t.regex(await succeeds("stats", "--once", "duo"), /duo +web .*64\.0 MiB/);
  t.regex(await succeeds("timeline", "duo"), /container web: oci (create|run)/);
  t.is((await berth("exec", "client", "sh", "-c", "exit 9")).code, 9);
  await succeeds("stop", "-t", "1", "web");
  t.regex(await succeeds("ps", "-a", "duo"), /web +duo +exited +0/);
  t.is((await berth("rm", "duo")).code, 1, "a ready pod is removed only with -f");
  await succeeds("rm", "-f", "duo");
  t.notRegex(await succeeds("pods"), /duo/);
  t.deepEqual(
    (await readdir(node().logs)).filter((name) => name.includes("duo")),
    [],
  );
});

test("an archive is loaded, and what it holds can be run", async (t) => {
  t.regex(await succeeds("load", demoImage), /localhost\/berth-demo:latest/);
  t.regex(await succeeds("images"), /localhost\/berth-demo:latest/);
  t.regex(await succeeds("run", "--rm", "localhost/berth-demo:latest", "--version"), /^0\.1\.0$/m);
});

test("an image is pulled by its name", async (t) => {
  t.regex(await succeeds("pull", node().image), /test\/busybox:1/);
});

test("the node and the client say their versions", async (t) => {
  t.regex(await succeeds("version"), /0\.1\.0/);
});

test("what is not there is told in one line with the id, and in the exit code", async (t) => {
  const { code, stderr } = await berth("logs", "nobody");
  t.is(code, 1);
  t.regex(stderr, /^berth: .*nobody.*\n/);
  t.is((await berth("frobnicate")).code, 2);
});

test("a node that does not run is told with what to do", async (t) => {
  const { code, stderr } = await berth("--socket", "/no/such/berth.sock", "pods");
  t.is(code, 1);
  t.regex(stderr, /^berth: .*\/no\/such\/berth\.sock/);
  t.regex(stderr, /^hint: /m);
});

/** The image of the tests, by a maker who says how it was made. */
async function imageWithHistory(): Promise<TestImage> {
  const plain = await busyboxImage();
  const history = [
    { created: "2026-01-02T03:04:05Z", created_by: "COPY busybox /bin" },
    { created: "2026-01-02T03:04:06Z", created_by: "ENV PATH=/bin", empty_layer: true },
    { created: "2026-01-02T03:04:07Z", created_by: "COPY berth-demo /bin", comment: "last" },
  ];
  const config = jsonBlob({ ...JSON.parse(plain.config.bytes.toString()), history });
  const manifest = jsonBlob({ ...JSON.parse(plain.manifest.bytes.toString()), config: descriptorOf(OCI_CONFIG, config) });
  return { ...plain, id: config.digest, config, manifest };
}

test("an image tells how it was made, and is removed when no container uses it", async (t) => {
  const image = `${node().registry.address}/test/told:1`;
  const made = await imageWithHistory();
  await node().registry.push("test/told", "1", made);
  const { stdout } = await berth("run", "-d", "--pod", "user", "--name", "app", image, "sleep", "1000");
  t.regex(stdout, /^[0-9a-f]{64} /);
  const [last, env, first, ...rest] = (await succeeds("history", image)).trim().split("\n").slice(1);
  t.regex(last ?? "", /^\d+d +[\d.]+ [KM]iB {2}COPY berth-demo \/bin +last$/);
  t.regex(env ?? "", /^\d+d +0 B {2}ENV PATH=\/bin +-$/);
  t.regex(first ?? "", /^\d+d +[\d.]+ MiB {2}COPY busybox \/bin +-$/);
  t.deepEqual(rest, []);
  t.is((await succeeds("history", node().image)).trim().split("\n").length, 3, "a line for each layer that its maker says nothing of");
  const refused = await berth("rmi", image);
  t.deepEqual(refused, {
    code: 1,
    stdout: "",
    stderr: `berth: remove image ${image}: it is used by container user/app; remove what uses it first, or give -f\n`,
  });
  await succeeds("rm", "-f", "user");
  const prefix = made.id.slice("sha256:".length, "sha256:".length + 12);
  t.is(await succeeds("rmi", prefix), `${prefix}\n`);
  t.notRegex(await succeeds("images"), /test\/told/);
  t.is((await berth("rmi", image)).code, 1);
});

test("a container goes on with an image that was removed by force", async (t) => {
  const image = `${node().registry.address}/test/forced:1`;
  await node().registry.push("test/forced", "1", await imageWithHistory());
  await succeeds("run", "-d", "--pod", "user", "--name", "app", image, "sleep", "1000");
  t.is(await succeeds("rmi", "-f", image), `${image}\n`);
  t.is(await succeeds("exec", "user/app", "echo", "alive"), "alive\n");
  await succeeds("rm", "-f", "user");
});

test("a pod, a container and an image are told in full", async (t) => {
  await succeeds("run", "-d", "--pod", "full", "--name", "app", "-m", "64m", node().image, "sleep", "1000");
  const [pod, container, image] = JSON.parse(await succeeds("inspect", "full", "full/app", node().image));
  t.like(pod, { type: "pod", status: { state: "SANDBOX_READY", metadata: { name: "full" } } });
  t.like(pod.containers[0], { name: "app", state: "CONTAINER_RUNNING" });
  t.true(pod.info.shimPid > 0);
  t.regex(pod.status.createdAt, /^\d{19}$/);
  t.like(container, { type: "container", status: { state: "CONTAINER_RUNNING" }, info: { sandboxID: pod.status.id } });
  t.is(container.status.resources.linux.memoryLimitInBytes, String(64 * 1024 * 1024));
  t.like(image, { type: "image", status: { repoTags: [node().image] }, info: { os: "linux" } });
  t.is((await berth("inspect", "full", "nobody")).code, 1);
  await succeeds("rm", "-f", "full");
});

test("events are told as they happen, and from a cursor on", async (t) => {
  const following = new Running("events", "-f", "-o", "json");
  const lines = () => following.stdout.split("\n").filter((line) => line !== "");
  // It says nothing before something happens, so it may not listen yet when the first pod comes.
  await node().eventually("an event is told", async () => {
    await succeeds("run", "--rm", "--pod", "early", node().image, "true");
    return lines().length > 0 ? true : undefined;
  });
  await succeeds("run", "--rm", "--pod", "late", "--name", "job", node().image, "true");
  await node().eventually("the last event is told", async () =>
    lines().some((line) => /"deleted".*"kind":"pod".*"late"/.test(line)) ? true : undefined,
  );
  const { code, stderr } = await following.interrupt();
  t.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  const { cursor } = JSON.parse(lines().findLast((line) => line.includes('"early"')) ?? "");
  const since = (await succeeds("events", "--since", cursor)).trim().split("\n");
  for (const line of since) t.regex(line, /^\d{4}-\d\d-\d\dT[\d:.]+Z \w+ +(pod|container) +[0-9a-f]{13} late$/);
  t.deepEqual(
    since.map((line) => line.split(/ +/).slice(1, 3).join(" ")),
    [
      "created pod",
      "started pod",
      "created container",
      "started container",
      "stopped container",
      "stopped pod",
      "deleted container",
      "deleted pod",
    ],
  );
  t.regex((await berth("events", "--since", "00000000-1")).stderr, /^berth: read events: cursor "00000000-1" is not of this node/);
});

test("who follows events hears that the node is gone", async (t) => {
  const following = new Running("events", "-f");
  await node().eventually("an event is told", async () => {
    await succeeds("run", "--rm", node().image, "true");
    return following.stdout === "" ? undefined : true;
  });
  await node().crash();
  const { code, stderr } = await following.ended;
  await node().boot();
  t.is(code, 1);
  t.regex(stderr, /^berth: ask the node at .*\n$/);
});

test("logs are told from a time on, and of what ran before", async (t) => {
  const job = (...command: string[]) => succeeds("run", "-d", "--pod", "again", "--name", "job", node().image, ...command);
  await job("sh", "-c", "echo first");
  await node().eventually("the first attempt ends", async () => (/job +again +exited/.test(await succeeds("ps", "-a")) ? true : undefined));
  await job("sh", "-c", "echo second; exec sleep 1000");
  await node().eventually("the second attempt speaks", async () =>
    (await succeeds("logs", "again/job")) === "second\n" ? true : undefined,
  );
  t.is(await succeeds("logs", "-p", "again/job"), "first\n");
  t.is(await succeeds("logs", "--since", "1h", "job"), "second\n");
  t.is(await succeeds("logs", "--since", new Date(Date.now() + 60_000).toISOString(), "job"), "");
  const first = JSON.parse(await succeeds("ps", "-a", "-o", "json")).find(
    (each: { pod: string; exit: number | null }) => each.pod === "again" && each.exit === 0,
  );
  t.regex((await berth("logs", "-p", first.id)).stderr, /^berth: find what ran before container job: /);
  await succeeds("rm", "-f", "again");
});

test("usage is told again and again, until it is interrupted", async (t) => {
  await succeeds("run", "-d", "--pod", "busy", "--name", "app", node().image, "sleep", "1000");
  const watching = new Running("stats", "-w", "busy");
  await node().eventually("two tables are told", async () => (watching.stdout.split("POD ").length > 2 ? true : undefined));
  const { code, stdout, stderr } = await watching.interrupt();
  t.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  t.regex(stdout, /^busy +app +\d+\.\d/m);
  await succeeds("rm", "-f", "busy");
});

test("a shell completes the names of what is on the node", async (t) => {
  await succeeds("run", "-d", "--pod", "complete-me", "--name", "app", node().image, "sleep", "1000");
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is for the shell
  const ask = 'source <(berth completion bash); COMP_LINE=$1 COMP_POINT=${#1}; _berth; echo "${COMPREPLY[@]}"';
  const complete = async (line: string): Promise<string> => {
    const env = { ...environment(), PATH: `${programs}:${process.env["PATH"]}` };
    return (await promisify(execFile)("bash", ["--norc", "-c", ask, "bash", line], { env })).stdout.trim();
  };
  t.is(await complete("berth stop compl"), "complete-me complete-me/app");
  t.is(await complete("berth logs complete-me/"), "complete-me/app");
  t.regex(await complete("berth rmi 127.0.0.1:"), /test\/busybox:1/);
  await succeeds("rm", "-f", "complete-me");
});
