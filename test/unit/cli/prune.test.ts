import { PassThrough } from "node:stream";
import test, { type ExecutionContext } from "ava";
import { status } from "@grpc/grpc-js";
import { message } from "../../../src/cli/message.ts";
import { planPrune, PRUNE_KINDS } from "../../../src/cli/prune-plan.ts";
import { ContainerState, Image, PodSandboxState } from "../../../src/generated/cri/runtime/v1/api.ts";
import { FakeNode } from "./fake-node.ts";

const RUNNING = ContainerState.CONTAINER_RUNNING;
const EXITED = ContainerState.CONTAINER_EXITED;

const pod = (name: string, ready: boolean) => ({
  id: name,
  name,
  namespace: "",
  uid: "",
  ready,
  createdAtNanos: 1n,
  annotations: {},
  labels: {},
});
const container = (podId: string, name: string, state: ContainerState, imageId = "") => ({
  id: name,
  podId,
  name,
  attempt: 0,
  state,
  image: "",
  imageId,
  createdAtNanos: 1n,
  labels: {},
});
const image = (id: string, fields: Partial<Image> = {}) => message(Image, { id, repoTags: [`${id}:1`], ...fields });

const inventory = {
  pods: [pod("up", true), pod("down", false)],
  containers: [
    container("up", "web", RUNNING, "web-image"),
    container("up", "job", EXITED, "job-image"),
    container("up", "next", ContainerState.CONTAINER_CREATED, "next-image"),
    container("down", "old", EXITED, "old-image"),
  ],
  images: [
    ...["web-image", "job-image", "next-image", "old-image", "other-image"].map((id) => image(id)),
    image("pinned-image", { pinned: true, repoTags: [] }),
    image("nameless-image", { repoTags: [] }),
    image("digest-image", { repoTags: [], repoDigests: ["a@sha256:1"] }),
  ],
};

function planned(kinds: Parameters<typeof planPrune>[1], all: boolean): string[] {
  const { pods, containers, images } = planPrune(inventory, kinds, all);
  return [...pods.map(({ name }) => name), ...containers.map(({ name }) => name), ...images.map(({ id }) => id)];
}

test("stopped pods go with their containers, then exited containers, then images without a name", (t) => {
  t.deepEqual(planned(PRUNE_KINDS, false), ["down", "job", "nameless-image"]);
});

test("with --all images go that nothing uses which stays, and never a pinned one", (t) => {
  t.deepEqual(planned(PRUNE_KINDS, true), ["down", "job", "job-image", "old-image", "other-image", "nameless-image", "digest-image"]);
  t.deepEqual(planned(["images"], true), ["other-image", "nameless-image", "digest-image"]);
  t.deepEqual(planned(["containers"], true), ["job", "old"]);
  t.deepEqual(planned(["pods"], true), ["down"]);
});

async function start(t: ExecutionContext): Promise<FakeNode> {
  const node = await FakeNode.start(t);
  const up = node.addPod("up");
  const down = node.addPod("down", { state: PodSandboxState.SANDBOX_NOTREADY });
  const ids = { web: `sha256:${"1".repeat(64)}`, job: `sha256:${"2".repeat(64)}` };
  for (const [name, id] of Object.entries(ids)) {
    node.images.add(`a.example/${name}:1`);
    node.imageIds.set(`a.example/${name}:1`, id);
  }
  node.addContainer(up, "web", { imageId: ids.web });
  node.addContainer(up, "job", { imageId: ids.job, state: EXITED });
  node.addContainer(down, "old", { imageId: ids.job, state: EXITED });
  return node;
}

const removals = (node: FakeNode) => node.calls.filter((call) => /^(Remove|Prune)/.test(call));

/** A person who answers at once. */
const terminal = (answer: string) => Object.assign(new PassThrough().end(answer), { isTTY: true });

test("a dry run tells what would go and how much that frees, and leaves it", async (t) => {
  const node = await start(t);
  const { code, stdout } = await node.berth(["prune", "--all", "--dry-run"]);
  t.is(code, 0);
  t.deepEqual(
    stdout
      .trim()
      .split("\n")
      .map((line) => line.replace(/ +/g, " ")),
    [
      "KIND ID NAME FREES",
      `pod a200000000000 down -`,
      `container c200000000000 up/job -`,
      `image 2222222222222 a.example/job:1 2.0 MiB`,
      "2.0 MiB would be freed",
    ],
  );
  t.deepEqual(removals(node), ["PruneImages 22 true"]);
});

test("by force it is done without a question, and what went is told", async (t) => {
  const node = await start(t);
  const { code, stdout, stderr } = await node.berth(["prune", "-af", "-o", "json"]);
  t.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  t.deepEqual(
    JSON.parse(stdout).map(({ kind, name, freedBytes }: Record<string, unknown>) => [kind, name, freedBytes]),
    [
      ["pod", "down", null],
      ["container", "up/job", null],
      ["image", "a.example/job:1", 2_097_152],
    ],
  );
  t.deepEqual(removals(node), ["PruneImages 22 true", "RemovePodSandbox", "RemoveContainer", "PruneImages 22 false"]);
  t.deepEqual([node.pods.size, node.containers.size, [...node.images]], [1, 1, ["a.example/web:1"]]);
  t.like(await node.berth(["prune", "-af"]), { code: 0, stdout: "nothing to remove\n" });
});

test("a person is asked, and only yes is yes", async (t) => {
  for (const [answer, size] of [
    ["y\n", 1],
    ["Yes\n", 1],
    ["n\n", 2],
    ["\n", 2],
    ["", 2],
  ] as const) {
    const node = await start(t);
    const { code, stderr } = await node.berth(["prune", "pods"], terminal(answer));
    t.is(code, 0);
    t.regex(stderr, /^KIND +ID +NAME +FREES\npod .*down +-\n0 B would be freed\nRemove these\? \[y\/N\] $/);
    t.is(node.pods.size, size, JSON.stringify(answer));
  }
});

test("where nobody can be asked nothing is removed", async (t) => {
  const node = await start(t);
  const { code, stderr } = await node.berth(["prune"]);
  t.is(code, 2);
  t.regex(stderr, /^berth: standard input is no terminal: give -f, or --dry-run$/m);
  t.is(node.pods.size, 2);
});

test("what can't be removed is told, and keeps nothing else from going", async (t) => {
  const node = await start(t);
  node.failures.set("RemovePodSandbox", { code: status.INTERNAL, details: "remove pod sandbox: it is stuck" });
  const { code, stdout, stderr } = await node.berth(["prune", "-f"]);
  t.is(code, 1);
  t.is(stderr, "berth: remove pod sandbox: it is stuck\n");
  t.regex(stdout, /^container .*up\/job/m);
  t.notRegex(stdout, /down/);
});
