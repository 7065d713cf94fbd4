import test from "ava";
import { FakeNode } from "./fake-node.ts";

test("a pod is asked for by its id, and what is not listed by its name", async (t) => {
  const node = await FakeNode.start(t);
  const shop = node.addPod("shop");
  node.addContainer(shop, "web");
  t.deepEqual(await node.berth(["why", "shop"]), { code: 0, stdout: "nothing: ready since 3 s\n", stderr: "" });
  await node.berth(["why", "shop/web"]);
  await node.berth(["why", "docker.io/library/app:1"]);
  t.deepEqual(
    node.calls.filter((call) => call.startsWith("Why")),
    [`Why ${shop}`, `Why ${"c1".padEnd(64, "0")}`, "Why docker.io/library/app:1"],
  );
});

test("a program gets the parts of the answer", async (t) => {
  const node = await FakeNode.start(t);
  node.addPod("shop");
  t.like(JSON.parse((await node.berth(["why", "-o", "json", "shop"])).stdout)[0], { call: "", sinceNanos: 1 });
});
