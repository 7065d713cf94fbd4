import test from "ava";
import { formatInspections, inspectContainer, inspectImage, inspectPod } from "../../../src/cli/inspect-object.ts";
import { message } from "../../../src/cli/message.ts";
import {
  ContainerState,
  ContainerStatus,
  Image,
  LinuxPodSandboxStatus,
  Mount,
  MountPropagation,
  Namespace,
  NamespaceMode,
  NamespaceOption,
  PodSandboxState,
  PodSandboxStatus,
} from "../../../src/generated/cri/runtime/v1/api.ts";
import { FakeNode, NOW_MS } from "./fake-node.ts";

const printed = (object: ReturnType<typeof inspectPod>) => JSON.parse(formatInspections([object]))[0];

test("a pod is told with its namespaces by name, its containers, and what the node adds", (t) => {
  const options = message(NamespaceOption, { network: NamespaceMode.NODE, pid: NamespaceMode.CONTAINER });
  const linux = message(LinuxPodSandboxStatus, { namespaces: message(Namespace, { options }) });
  const status = message(PodSandboxStatus, {
    id: "p",
    state: PodSandboxState.SANDBOX_NOTREADY,
    createdAt: 1_900_000_000_000_000_001n,
    linux,
  });
  const containersStatuses = [
    message(ContainerStatus, { id: "c", metadata: { name: "web", attempt: 2 }, state: ContainerState.CONTAINER_EXITED }),
  ];
  const told = printed(
    inspectPod({ status, containersStatuses, info: { info: '{"shimPid":7}', note: "no JSON", type: '"other"' }, timestamp: 0n }),
  );
  t.like(told, { type: "pod", info: { shimPid: 7 }, note: "no JSON" });
  t.like(told.status, { id: "p", state: "SANDBOX_NOTREADY", createdAt: "1900000000000000001" });
  t.like(told.status.linux.namespaces.options, { network: "NODE", pid: "CONTAINER", ipc: "POD" });
  t.deepEqual(told.containers, [{ id: "c", name: "web", attempt: 2, state: "CONTAINER_EXITED" }]);
});

test("a container is told with its state and its mounts by name", (t) => {
  const mounts = [message(Mount, { hostPath: "/a", propagation: MountPropagation.PROPAGATION_HOST_TO_CONTAINER })];
  const status = message(ContainerStatus, { id: "c", state: ContainerState.CONTAINER_RUNNING, startedAt: 5n, mounts });
  const told = printed(inspectContainer({ status, info: {} }));
  t.like(told.status, { state: "CONTAINER_RUNNING", startedAt: "5", stopSignal: "SIGNAL_RUNTIME_DEFAULT" });
  t.like(told.status.mounts[0], { hostPath: "/a", propagation: "PROPAGATION_HOST_TO_CONTAINER" });
});

test("a value that this command line has no name for is told as it is", (t) => {
  const status = message(ContainerStatus, { id: "c", state: 77 as unknown as ContainerState });
  t.is(printed(inspectContainer({ status, info: {} })).status.state, 77);
});

test("whole numbers are decimal strings, and bytes are in base64", (t) => {
  const image = message(Image, { id: "sha256:1", size: 12n });
  t.is(printed(inspectImage({ image, info: {} })).status.size, "12");
  t.deepEqual(JSON.parse(formatInspections([{ bytes: Buffer.from([0, 255]), list: [1n, null] }])), [{ bytes: "AP8=", list: ["1", null] }]);
});

test("what is named is told in the order of its names, whatever it is", async (t) => {
  const node = await FakeNode.start(t);
  node.images.add("a.example/web:1");
  node.imageInfo = { os: "linux" };
  node.addContainer(node.addPod("shop", { createdAt: BigInt(NOW_MS) * 1_000_000n }), "web");
  const { code, stdout, stderr } = await node.berth(["inspect", "a.example/web:1", "shop", "nothing", "shop/web"]);
  t.is(code, 1);
  t.regex(stderr, /^berth: find "nothing": no pod, container or image has this name or id\n$/);
  const told = JSON.parse(stdout);
  t.deepEqual(
    told.map(({ type }: { type: string }) => type),
    ["image", "pod", "container"],
  );
  t.like(told[0], { status: { repoTags: ["a.example/web:1"], size: "2097152" }, info: { os: "linux" } });
  t.like(told[1], { status: { createdAt: `${NOW_MS}000000` }, info: { shimPid: 7 }, note: "no JSON" });
});

test("a name that a pod and a container have needs the type", async (t) => {
  const node = await FakeNode.start(t);
  node.addContainer(node.addPod("web"), "web");
  t.regex((await node.berth(["inspect", "web"])).stderr, /it may be pod .*, container .*; give --type/);
  t.is(JSON.parse((await node.berth(["inspect", "--type", "container", "web"])).stdout)[0].type, "container");
});
