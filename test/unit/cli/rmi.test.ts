import test from "ava";
import { imageUsers } from "../../../src/cli/image-users.ts";
import { ContainerState } from "../../../src/generated/cri/runtime/v1/api.ts";
import { FakeNode } from "./fake-node.ts";

const id = (digit: string): string => `sha256:${digit.repeat(64)}`;

async function nodeWithImages(t: Parameters<typeof FakeNode.start>[0]): Promise<FakeNode> {
  const node = await FakeNode.start(t);
  for (const [name, digit] of [
    ["a.example/web:1", "1"],
    ["docker.io/library/busybox:latest", "2"],
    ["a.example/job:1", "3"],
  ] as const) {
    node.images.add(name);
    node.imageIds.set(name, id(digit));
  }
  return node;
}

const removals = (node: FakeNode): string[] => node.calls.filter((call) => /^(RemoveImage|UntagImage)/.test(call)).sort();

test("images are removed by name, by short name, by id and by the beginning of an id", async (t) => {
  const node = await nodeWithImages(t);
  t.deepEqual(await node.berth(["rmi", "busybox", "11", id("3")]), { code: 0, stdout: `busybox\n11\n${id("3")}\n`, stderr: "" });
  t.deepEqual(removals(node), [`RemoveImage ${id("1")}`, `RemoveImage ${id("3")}`, "UntagImage busybox false"]);
  t.is(node.images.size, 0);
});

test("by its name an image loses that name, and with --all the others too", async (t) => {
  const node = await nodeWithImages(t);
  t.is((await node.berth(["rmi", "a.example/web:1"])).code, 0);
  t.is((await node.berth(["rmi", "--all", "a.example/job:1"])).code, 0);
  t.deepEqual(removals(node), [`RemoveImage ${id("3")}`, "UntagImage a.example/web:1 false"]);
});

test("a name that is not the last goes from an image that containers use", async (t) => {
  const node = await nodeWithImages(t);
  node.images.add("a.example/web:2");
  node.imageIds.set("a.example/web:2", id("1"));
  node.addContainer(node.addPod("shop"), "web", { imageId: id("1") });
  t.is((await node.berth(["rmi", "a.example/web:2"])).code, 0);
  t.regex(
    (await node.berth(["rmi", "a.example/web:1"])).stderr,
    /^berth: remove image a\.example\/web:1: it is used by container shop\/web;/,
  );
  t.deepEqual([...node.images], ["a.example/web:1", "docker.io/library/busybox:latest", "a.example/job:1"]);
});

test("an image that containers use is removed only by force, and the others are nevertheless", async (t) => {
  const node = await nodeWithImages(t);
  const shop = node.addPod("shop");
  node.addContainer(shop, "web", { imageId: id("1") });
  node.addContainer(shop, "old", { imageId: id("1"), state: ContainerState.CONTAINER_EXITED });
  const { code, stdout, stderr } = await node.berth(["rmi", "a.example/web:1", "nothing", "busybox"]);
  t.like({ code, stdout }, { code: 1, stdout: "busybox\n" });
  t.regex(stderr, /^berth: remove image a\.example\/web:1: it is used by containers shop\/web, shop\/old; .*give -f$/m);
  t.regex(stderr, /^berth: find image "nothing": /m);
  t.like(await node.berth(["rmi", "-f", "a.example/web:1"]), { code: 0, stdout: "a.example/web:1\n" });
});

test("many users of an image are told by the first and their number", (t) => {
  const pods = [{ id: "p", name: "shop" }];
  const containers = Array.from({ length: 7 }, (_, index) => ({
    id: `c${index}`,
    podId: "p",
    name: `w${index}`,
    attempt: 0,
    state: ContainerState.CONTAINER_RUNNING,
    image: "",
    imageId: "i",
    createdAtNanos: 1n,
    labels: {},
  }));
  t.is(imageUsers("i", pods, containers), "containers shop/w0, shop/w1, shop/w2, shop/w3, shop/w4 and 2 more");
  t.is(imageUsers("i", pods, containers.slice(0, 1)), "container shop/w0");
  t.is(imageUsers("other", pods, containers), "");
  const attempts = containers.slice(0, 3).map((each, attempt) => ({ ...each, name: "web", attempt }));
  t.is(imageUsers("i", pods, attempts), "container shop/web");
});
