// What can't be done is refused with the code that tells the caller what to do, in words that name stage, id and cause; nothing is left.
import { existsSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type ServiceError, status } from "@grpc/grpc-js";
import test from "ava";
import { FakeRegistry } from "../lib/fake-registry.ts";
import { kernelObjectsOf, links } from "../lib/kernel.ts";
import { TestNode } from "../lib/node.ts";
import { blobOf, jsonBlob, makeImage, OCI_INDEX } from "../lib/oci-image.ts";
import { Pod } from "../lib/pods.ts";
import { FAILED_STARTS, REFUSALS, type Scene } from "../lib/refusals.ts";
import { RUNTIMES } from "../lib/runtimes.ts";
import { shared, type Teardown } from "../lib/teardown.ts";

interface Place {
  readonly node: TestNode;
  readonly pod: Pod;
  readonly scene: Scene;
}

const place = shared<Place>(test, async (t) => {
  const node = await TestNode.start(t);
  const pod = await Pod.run(node, { port_mappings: [{ host_port: 18_081, container_port: 80 }] });
  const stopped = await Pod.run(node);
  await stopped.stop();
  const running = await pod.start("runs", ["sleep", "1000"]);
  // What a pod gets with its first exec stays as long as the pod.
  await running.output("true");
  const exited = await pod.start("ended", ["true"]);
  await node.eventually("it has ended", async () => (await exited.status()).state === "CONTAINER_EXITED" || undefined);
  const folder = join(node.folder, "volume");
  await mkdir(folder);
  const file = join(node.folder, "file");
  writeFileSync(file, "no profile, no device\n");
  await fillRegistry(node);
  const bareImage = `${node.registry.address}/test/bare:1`;
  await node.cri.call("PullImage", { image: { image: bareImage } });
  const scene: Scene = {
    image: node.image,
    bareImage,
    pod: pod.id,
    podConfig: pod.config,
    stoppedPod: stopped.id,
    running: running.id,
    exited: exited.id,
    registry: node.registry.address,
    bad: await badRegistry(t),
    folder,
    file,
    // The helper keeps what it mounts there to itself.
    privateMount: node.state,
  };
  return { node, pod, scene };
});

/** Images that contradict themselves, and one without a command. */
async function fillRegistry({ registry }: TestNode): Promise<void> {
  const wrong = makeImage({ layers: [{ "wrong.txt": "w".repeat(1000) }] });
  const short = makeImage({ layers: [{ "short.txt": "s".repeat(1000) }] });
  const garbage = makeImage({ layers: [] });
  const noArchive = blobOf(Buffer.alloc(1000, 7));
  await registry.push("test/bare", "1", makeImage({ config: { Cmd: [] } }));
  await registry.push("test/wrong", "1", wrong);
  await registry.push("test/short", "1", short);
  for (const { digest, bytes } of wrong.layers) writeFileSync(registry.blobFile(digest), Buffer.alloc(bytes.length, 1));
  for (const { digest, bytes } of short.layers) truncateSync(registry.blobFile(digest), bytes.length - 10);
  const config = jsonBlob({
    ...JSON.parse(garbage.config.bytes.toString("utf8")),
    rootfs: { type: "layers", diff_ids: [noArchive.digest] },
  });
  const layer = { mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", digest: noArchive.digest, size: noArchive.bytes.length };
  const manifest = jsonBlob({
    ...JSON.parse(garbage.manifest.bytes.toString("utf8")),
    config: { ...JSON.parse(garbage.manifest.bytes.toString("utf8")).config, digest: config.digest, size: config.bytes.length },
    layers: [layer],
  });
  await registry.push("test/garbage", "1", { ...garbage, config, layers: [noArchive], manifest });
  const elsewhere = makeImage({ architecture: "s390x" });
  await registry.push("test/elsewhere", "only", elsewhere);
  const entry = {
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    digest: elsewhere.manifest.digest,
    size: elsewhere.manifest.bytes.length,
  };
  const index = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [{ ...entry, platform: { os: "linux", architecture: "s390x" } }] };
  await registry.putManifest("test/elsewhere", "1", Buffer.from(JSON.stringify(index)), OCI_INDEX);
}

/** "/v2/429/…" is answered with 429, and "/v2/hang/…" not at all. */
async function badRegistry(t: Teardown): Promise<string> {
  const registry = await FakeRegistry.start(t);
  registry.intercept = ({ url }, response) => {
    const code = Number(/^\/v2\/(\d{3})\//.exec(url ?? "")?.[1] ?? 0);
    if (code > 0) response.writeHead(code).end();
    return code > 0 || /^\/v2\/hang\//.test(url ?? "");
  };
  return registry.address;
}

/** All that a refused call could have left: objects of the node, its files, and what it has in the kernel. */
async function whatIsThere(): Promise<unknown> {
  const { node, scene } = place();
  const list = (call: string): Promise<unknown> => node.cri.call(call, {});
  const inRoot = ["containers", "content/ingest", "content/blobs/sha256", "snapshots", "uploads"].map((name) => join(node.root, name));
  const inState = ["s", "pods", `pods/${scene.pod}/containers`].map((name) => join(node.state, name));
  return {
    objects: await Promise.all(["ListPodSandbox", "ListContainers", "ListImages"].map(list)),
    files: [...inRoot, ...inState].map((folder) => (existsSync(folder) ? readdirSync(folder).sort() : [])),
    links: links(),
    mounts: readFileSync("/proc/self/mountinfo", "utf8")
      .split("\n")
      .filter((line) => line.includes(node.folder)),
  };
}

const inKernel = async (): Promise<string[]> => kernelObjectsOf(place().node.folder, await place().node.instanceId());

let kernelBefore: string[] = [];

test.before(async () => {
  kernelBefore = await inKernel();
});

for (const { what, call, code, message, request, deadlineMs } of REFUSALS) {
  test(`${call} of ${what} is ${code}`, async (t) => {
    const { node, scene } = place();
    const before = await whatIsThere();
    const failure = await t.throwsAsync<ServiceError>(node.cri.call(call, request(scene), deadlineMs));
    t.is(status[failure?.code ?? 0], code, failure?.message);
    t.regex(failure?.details ?? "", message);
    if (deadlineMs !== undefined)
      await node.eventually("the call is given up", async () => (/"kind":"cancelled"/.test(node.log) ? true : undefined));
    t.deepEqual(await whatIsThere(), before);
  });
}

test("after all of them the kernel has what it had before", async (t) => {
  t.deepEqual(await inKernel(), kernelBefore);
});

for (const { what, command, code, message } of FAILED_STARTS) {
  for (const runtime of RUNTIMES) {
    test(`StartContainer of ${what} is ${code}, and the container says why (${runtime})`, async (t) => {
      const pod = await Pod.run(place().node, {}, runtime);
      const container = await pod.create("one", [command]);
      const failure = await t.throwsAsync<ServiceError>(container.start());
      t.is(status[failure?.code ?? 0], code, failure?.message);
      t.regex(failure?.details ?? "", message);
      const { state, exit_code, reason, message: why } = await container.status();
      t.deepEqual({ state, exit_code, reason }, { state: "CONTAINER_EXITED", exit_code: 128, reason: "StartError" });
      t.not(why, "");
      await container.remove();
      await pod.remove();
    });
  }
}

test("a retry at the same time gets the same pod", async (t) => {
  const config = { metadata: { name: "twice", namespace: "test", uid: "1", attempt: 0 } };
  const pods = await Promise.all([Pod.run(place().node, config), Pod.run(place().node, config)]);
  t.is(pods[0].id, pods[1].id);
  await pods[0].remove();
});

test("the page of errors has a row for each refusal, and each of its rows is tested", (t) => {
  const page = readFileSync(fileURLToPath(new URL("../../docs/errors.md", import.meta.url)), "utf8");
  const section = /^## Every refusal$(.*?)^## /ms.exec(page)?.[1] ?? "";
  const rows = [...section.matchAll(/^\| `(\w+)` \| (.+?) \| `(\w+)` \| .+ \|$/gm)].map(
    ([, call, what, code]) => `${call}: ${what}: ${code}`,
  );
  const tested = [...REFUSALS, ...FAILED_STARTS.map((each) => ({ ...each, call: "StartContainer" }))];
  t.deepEqual(rows.sort(), tested.map(({ call, what, code }) => `${call}: ${what}: ${code}`).sort());
});
