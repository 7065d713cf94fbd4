import { once } from "node:events";
import { createConnection } from "node:net";
import { PassThrough, Readable } from "node:stream";
import test, { type ExecutionContext } from "ava";
import { FakeNode } from "./fake-node.ts";

async function nodeWithWeb(t: ExecutionContext): Promise<FakeNode> {
  const node = await FakeNode.start(t);
  node.addContainer(node.addPod("shop"), "web");
  return node;
}

test("a command with a deadline is run without streams", async (t) => {
  const node = await nodeWithWeb(t);
  t.deepEqual(await node.berth(["exec", "--timeout", "5", "web", "ls"]), { code: 3, stdout: "ls", stderr: "oops" });
  t.true(node.calls.includes("ExecSync") && !node.calls.includes("Exec"));
});

test("a command reads our input to its end with -i, and none of it without", async (t) => {
  const node = await nodeWithWeb(t);
  const input = () => Readable.from([Buffer.from(" a"), Buffer.from("bc")]);
  t.is((await node.berth(["exec", "-i", "web", "cat"], input())).stdout, "cat abc");
  t.is((await node.berth(["exec", "web", "cat"], input())).stdout, "cat");
});

test("a command with a terminal gets ours, raw until it ends, with its size", async (t) => {
  const node = await nodeWithWeb(t);
  node.isTerminal = true;
  t.deepEqual(await node.berth(["exec", "-t", "web", "top"]), { code: 3, stdout: "top 80x24", stderr: "" });
  t.deepEqual(node.terminal, ["raw", "cooked"]);
});

test("Ctrl-C ends a command that has no terminal, with a shell's exit code", async (t) => {
  const node = await nodeWithWeb(t);
  const running = node.berth(["exec", "web", "sleep"]);
  await node.called("running", 1);
  node.signal();
  t.is((await running).code, 130);
});

test("a command that the node refuses is told in one line", async (t) => {
  const node = await nodeWithWeb(t);
  node.command = () => Promise.reject(new Error("exec in container web: executable file `nope` not found in $PATH"));
  t.deepEqual(await node.berth(["exec", "web", "nope"]), {
    code: 127,
    stdout: "",
    stderr: "berth: exec in container web: executable file `nope` not found in $PATH\n",
  });
});

test("attach gives our input to the container and shows its output", async (t) => {
  const node = await nodeWithWeb(t);
  t.is((await node.berth(["attach", "web"], Readable.from([Buffer.from(" hello")]))).stdout, "attached hello");
  t.is((await node.berth(["attach", "--no-stdin", "web"], Readable.from([Buffer.from(" hello")]))).stdout, "attached");
});

test("port-forward leads a local port to one of the pod, until it is interrupted", async (t) => {
  const node = await nodeWithWeb(t);
  const forwarding = node.berth(["port-forward", "shop", ":80", ":81"], new PassThrough());
  await node.printed("port 81 of shop");
  const [good, bad] = [...node.stdout.matchAll(/127\.0\.0\.1:(\d+)/g)].map(([, port]) => createConnection(Number(port), "127.0.0.1"));
  good?.write("hello");
  t.is(String((await once(good ?? process, "data"))[0]), "80 heard hello");
  // It breaks off, as it would if nobody listened here.
  const broken = new Promise((resolve) => bad?.once("error", resolve).once("close", resolve));
  bad?.write("hello");
  await broken;
  good?.destroy();
  node.signal();
  const { code, stderr } = await forwarding;
  t.is(code, 0);
  t.regex(stderr, /^berth: error forwarding port 81: connection refused\n$/);
});
