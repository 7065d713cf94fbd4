// The berth command line against a real node, as a person types it.
import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import test from "ava";
import { demoImage, programs, TestNode } from "../lib/node.ts";
import { shared } from "../lib/teardown.ts";

const node = shared(test, (t) => TestNode.start(t));

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function berth(...args: string[]): Promise<Outcome> {
  const env = { ...process.env, BERTH_SOCKET: node().socket, BERTH_LOG_ROOT: node().logs };
  try {
    const { stdout, stderr } = await promisify(execFile)(join(programs, "berth"), args, { env, timeout: 60_000 });
    return { code: 0, stdout, stderr };
  } catch (failure) {
    const { code, stdout, stderr } = failure as { code: number; stdout: string; stderr: string };
    return { code, stdout, stderr };
  }
}

async function succeeds(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await berth(...args);
  if (code !== 0) throw new Error(`berth ${args.join(" ")}: exit code ${code}: ${stderr}`);
  return stdout;
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
  t.regex(await succeeds("timeline", "duo"), /container web: oci create/);
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
