import test from "ava";
import { FakeNode } from "./fake-node.ts";

async function nodeWithPods(t: Parameters<typeof FakeNode.start>[0]): Promise<FakeNode> {
  const node = await FakeNode.start(t);
  node.addContainer(node.addPod("shop"), "web");
  node.addPod("bank");
  node.images.add("a.example/app:1");
  return node;
}

test("all pods go, ready or not, and images when they are asked for", async (t) => {
  const node = await nodeWithPods(t);
  const { code, stdout } = await node.berth(["reset", "-f"]);
  t.is(code, 0);
  t.regex(stdout, /^pod +a\w+ +shop$/m);
  t.deepEqual([node.pods.size, node.images.size], [0, 1]);
  t.is((await node.berth(["reset", "-f", "--images"])).code, 0);
  t.is(node.images.size, 0);
  t.true(node.calls.includes("Audit"));
});

test("a dry run lists and leaves, and nobody is asked for nothing", async (t) => {
  const node = await nodeWithPods(t);
  const { code, stdout } = await node.berth(["reset", "--dry-run", "--images", "-o", "json"]);
  t.is(code, 0);
  t.deepEqual(
    JSON.parse(stdout)
      .map(({ kind, name }: { kind: string; name: string }) => `${kind} ${name}`)
      .sort(),
    ["image a.example/app:1", "pod bank", "pod shop"],
  );
  t.is(node.pods.size, 2);
  const empty = await FakeNode.start(t);
  t.deepEqual(await empty.berth(["reset"]), { code: 0, stdout: "", stderr: "" });
});

test("without a terminal it has to be forced", async (t) => {
  const node = await nodeWithPods(t);
  const { code, stderr } = await node.berth(["reset"]);
  t.is(code, 2);
  t.regex(stderr, /give -f, or --dry-run/);
  t.is(node.pods.size, 2);
});

test("what stays is told, and ends with 1", async (t) => {
  const node = await nodeWithPods(t);
  node.failures.set("RemovePodSandbox", { code: 13, details: "it is stuck" });
  const { code, stderr } = await node.berth(["reset", "-f"]);
  t.is(code, 1);
  t.regex(stderr, /it is stuck/);
});
