// The calls of the fake node.
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { message } from "../../../src/cli/message.ts";
import type { BerthServer, PodUsage } from "../../../src/generated/berth/v1/berth.ts";
import {
  ContainerState,
  ContainerStatus,
  Image,
  type ImageServiceServer,
  type PodSandbox,
  PodSandboxState,
  PodSandboxStatus,
  type RuntimeServiceServer,
} from "../../../src/generated/cri/runtime/v1/api.ts";
import type { FakeNode } from "./fake-node.ts";

export function runtimeService(node: FakeNode): RuntimeServiceServer {
  return {
    version: node.answer("Version", () => ({ version: "0.1.0", runtimeName: "berth", runtimeVersion: "9.9", runtimeApiVersion: "v1" })),
    listPodSandbox: node.answer("ListPodSandbox", () => ({ items: [...node.pods.values()] })),
    listContainers: node.answer("ListContainers", ({ filter }) => {
      const of = filter?.podSandboxId ?? "";
      return { containers: [...node.containers.values()].filter(({ podSandboxId }) => of === "" || podSandboxId === of) };
    }),
    podSandboxStatus: node.answer("PodSandboxStatus", ({ podSandboxId, verbose }) => {
      const { metadata, createdAt } = node.pods.get(podSandboxId) ?? {};
      const network = { ip: "10.88.0.2", additionalIps: [] };
      const status = message(PodSandboxStatus, { id: podSandboxId, metadata, createdAt: createdAt ?? 0n, network });
      const info = { info: '{"shimPid":7}', note: "no JSON" };
      return { status, info: verbose ? info : {}, containersStatuses: [], timestamp: 0n };
    }),
    containerStatus: node.answer("ContainerStatus", ({ containerId }) => {
      const { id, state, exitCode, logPath } = node.container(containerId);
      return { status: message(ContainerStatus, { id, state, exitCode, logPath }), info: {} };
    }),
    runPodSandbox: node.answer("RunPodSandbox", ({ config }) => {
      const { metadata, annotations = {}, logDirectory = "" } = config ?? {};
      return { podSandboxId: node.addPod(metadata?.name ?? "", { metadata, annotations }, logDirectory) };
    }),
    createContainer: node.answer("CreateContainer", ({ podSandboxId, config }) => {
      if (config !== undefined) node.created.push(config);
      const logPath = join(node.pods.get(podSandboxId)?.logDirectory ?? "", config?.logPath ?? "");
      const fields = { metadata: config?.metadata, state: ContainerState.CONTAINER_CREATED, logPath };
      return { containerId: node.addContainer(podSandboxId, "", fields) };
    }),
    startContainer: node.answer("StartContainer", async ({ containerId }) => {
      await node.begin(node.container(containerId));
      return {};
    }),
    stopContainer: node.answer(
      "StopContainer",
      ({ containerId }) => {
        Object.assign(node.container(containerId), { state: ContainerState.CONTAINER_EXITED, exitCode: 143 });
        return {};
      },
      ({ containerId, timeout }) => `${containerId.slice(0, 2)} ${timeout}`,
    ),
    stopPodSandbox: node.answer("StopPodSandbox", ({ podSandboxId }) => {
      Object.assign(node.pods.get(podSandboxId) ?? {}, { state: PodSandboxState.SANDBOX_NOTREADY });
      return {};
    }),
    removeContainer: node.answer("RemoveContainer", ({ containerId }) => {
      node.containers.delete(containerId);
      return {};
    }),
    removePodSandbox: node.answer("RemovePodSandbox", ({ podSandboxId }) => {
      node.pods.delete(podSandboxId);
      for (const each of [...node.containers.values()]) if (each.podSandboxId === podSandboxId) node.containers.delete(each.id);
      return {};
    }),
    exec: node.answer("Exec", ({ cmd, tty, stdin, stdout, stderr }) => ({
      url: node.streaming.url({ kind: "exec", tty, stdin, stdout, stderr, run: (io) => node.command(cmd, io) }),
    })),
    attach: node.answer("Attach", ({ tty, stdin, stdout, stderr }) => ({
      url: node.streaming.url({ kind: "attach", tty, stdin, stdout, stderr, run: (io) => node.command(["attached"], io) }),
    })),
    portForward: node.answer("PortForward", ({ port: ports }) => ({
      url: node.streaming.url({ kind: "portforward", ports, run: (port, data) => node.serve(port, data) }),
    })),
    execSync: node.answer("ExecSync", ({ cmd }) => ({ stdout: Buffer.from(cmd.join("|")), stderr: Buffer.from("oops"), exitCode: 3 })),
  } satisfies Partial<RuntimeServiceServer> as unknown as RuntimeServiceServer;
}

export function imageService(node: FakeNode): ImageServiceServer {
  return {
    listImages: node.answer("ListImages", ({ filter }) => ({ images: imagesOf(node, filter?.image?.image ?? "") })),
    imageStatus: node.answer("ImageStatus", ({ image, verbose }) => {
      const [found] = imagesOf(node, image?.image ?? "");
      return { image: found, info: verbose ? { info: JSON.stringify(node.imageInfo) } : {} };
    }),
    removeImage: node.answer(
      "RemoveImage",
      ({ image }) => {
        for (const { repoTags } of imagesOf(node, image?.image ?? "")) for (const name of repoTags) node.images.delete(name);
        return {};
      },
      ({ image }) => image?.image ?? "",
    ),
  } satisfies Partial<ImageServiceServer> as unknown as ImageServiceServer;
}

const NO_NETWORK = { bridge: "", nftTable: "", mtu: 0, subnets: [], problem: "", endpoints: [] };
const NETWORKS = [
  {
    name: "bridge",
    kind: "bridge",
    bridge: "berth0",
    nftTable: "berth_1a2b3c4d",
    mtu: 1500,
    subnets: [
      { subnet: "10.88.0.0/16", gateway: "10.88.0.1", used: 1n, free: 65_532n },
      { subnet: "fd00:88::/64", gateway: "fd00:88::1", used: 1n, free: 2n ** 64n - 3n },
    ],
    problem: "",
    endpoints: [
      {
        podSandboxId: "a1",
        podName: "shop",
        podNamespace: "default",
        hostInterface: "vetha1",
        addresses: ["10.88.0.2", "fd00:88::2"],
        ports: [
          { protocol: "tcp", hostIp: "", hostPort: 8080, podPort: 80 },
          { protocol: "udp", hostIp: "::1", hostPort: 53, podPort: 5353 },
        ],
      },
    ],
  },
  { ...NO_NETWORK, name: "none", kind: "closed" },
  { ...NO_NETWORK, name: "host", kind: "host" },
];

export function berthService(node: FakeNode): BerthServer {
  return {
    loadImage: (call, callback) => {
      const failure = node.failures.get("LoadImage");
      if (failure !== undefined) return callback(failure);
      call.on("data", ({ data }: { readonly data: Buffer }) => {
        node.note(`LoadImage ${data.length}`);
        node.loadedBytes += data.length;
      });
      call.on("end", () => callback(null, { images: [{ id: "sha256:12", references: ["a.example/app:1"] }] }));
    },
    saveImage: node.answerAll(
      "SaveImage",
      () => ({ answers: ["an ", "archive"].map((data) => ({ data: Buffer.from(data) })), ends: true }),
      ({ images, format }) => `${images.join(",")} ${format}`,
    ),
    tagImage: node.answer(
      "TagImage",
      ({ source }) => ({ id: source }),
      ({ source, target }) => `${source} ${target}`,
    ),
    untagImage: node.answer(
      "UntagImage",
      ({ name, keepLast }) => {
        const [{ id = "", repoTags = [] } = {}] = imagesOf(node, name);
        const wasLast = [...node.images].every((other) => repoTags.includes(other) || node.imageIds.get(other) !== id);
        if (!wasLast || !keepLast) for (const tag of repoTags) node.images.delete(tag);
        return { id, wasLast };
      },
      ({ name, keepLast }) => `${name} ${keepLast}`,
    ),
    getConfig: node.answer("GetConfig", () => ({ settings: [{ name: "root", value: "/var/lib/berth", from: "default" }] })),
    why: node.answer(
      "Why",
      () => ({ line: "nothing: ready since 3 s", call: "", waitsFor: "", sinceNanos: 1n, untilNanos: 0n, notes: [] }),
      ({ object }) => object,
    ),
    listNetworks: node.answer("ListNetworks", () => ({ networks: NETWORKS })),
    audit: node.answer("Audit", ({ repair }) => ({
      differences: node.differences.map((each) => ({ ...each, mended: repair && each.mendable && each.failure === "" })),
      busyPods: 0,
      truncated: false,
    })),
    pullImage: node.answerAll(
      "PullImage",
      ({ image }) => {
        node.images.add(image);
        const onTheWay = node.pullProgress.map((layers) => ({ id: "", layers: [...layers] }));
        return { answers: [...onTheWay, { id: "sha256:12", layers: [] }], ends: true };
      },
      ({ image, credentials }) => `${image} ${credentials === undefined ? "" : Object.values(credentials).join("|")}`,
    ),
    checkCredentials: node.answer(
      "CheckCredentials",
      ({ credentials }) => {
        if (node.password !== "" && credentials?.password !== node.password)
          throw Object.assign(new Error(), { code: status.FAILED_PRECONDITION, details: "sign in: HTTP 401" });
        return { askedFor: node.password !== "" };
      },
      ({ registry, credentials }) => `${registry} ${credentials?.username}`,
    ),
    pruneImages: node.answer(
      "PruneImages",
      ({ ids, dryRun }) => {
        const going = imagesOf(node, "").filter(({ id }) => ids.includes(id));
        if (!dryRun) for (const { repoTags } of going) for (const name of repoTags) node.images.delete(name);
        return { images: going.map(({ id, repoTags, size }) => ({ id, names: repoTags, freedBytes: size })) };
      },
      ({ ids, dryRun }) => `${ids.map((each) => each.slice(7, 9)).join(",")} ${dryRun}`,
    ),
    events: node.answerAll("Events", ({ cursor, follow }) => {
      const from = node.events.findIndex((event) => event.cursor === cursor) + 1;
      return { answers: node.events.slice(from), ends: !follow };
    }),
    listUsage: node.answer("ListUsage", ({ podSandboxId }) => ({
      pods: [...node.pods.values()].filter(({ id }) => podSandboxId === "" || id === podSandboxId).map(toUsage),
    })),
  } satisfies Partial<BerthServer> as unknown as BerthServer;
}

/** As the node finds them: "" all, a whole name, one without registry and tag, an id or seven digits of it. */
function imagesOf(node: FakeNode, text: string): Image[] {
  const all = [...node.images].map((name) =>
    message(Image, { id: node.imageIds.get(name) ?? `sha256:${"5".repeat(64)}`, repoTags: [name], size: 2_097_152n }),
  );
  const hex = text.replace(/^sha256:/, "");
  const isMeant = ({ id, repoTags: [name] }: Image): boolean =>
    name === text || name === `docker.io/library/${text}:latest` || (hex.length >= 7 && id.startsWith(`sha256:${hex}`));
  return text === "" ? all : all.filter(isMeant).slice(0, 1);
}

function toUsage({ id, metadata }: PodSandbox): PodUsage {
  const web = { containerId: "c1", name: "web", usage: undefined };
  return { podSandboxId: id, name: metadata?.name ?? "", namespace: "", usage: undefined, containers: [web] };
}
