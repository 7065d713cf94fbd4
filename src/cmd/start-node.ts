// Builds the real parts of a node, and recovers what was there.
import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { release } from "node:os";
import { join } from "node:path";
import { AuditService } from "../audit/audit-service.ts";
import { Activities } from "../base/activity.ts";
import { systemClock } from "../base/clock.ts";
import { AgentError, messageOf } from "../base/errors.ts";
import { InHand } from "../base/in-hand.ts";
import type { Log } from "../base/log.ts";
import type { Loaded } from "../config/load.ts";
import type { Config } from "../config/table.ts";
import { describeDevices } from "../container/cdi/find-devices.ts";
import { CdiSpecFiles } from "../container/cdi/spec-files.ts";
import { kernelAppArmor } from "../container/apparmor.ts";
import { ContainerService } from "../container/container-service.ts";
import type { OciRuntime } from "../container/oci-runtime.ts";
import type { Engine } from "../cri/engine.ts";
import { ImageGc, spaceOf } from "../image/image-gc.ts";
import { StreamingServer } from "../cri/streaming/streaming-server.ts";
import { ImageService } from "../image/image-service.ts";
import { HelperClient } from "../native-client/helper.ts";
import { HelperProcess } from "../native-client/helper-process.ts";
import { requireProtocol } from "../native-client/protocol.ts";
import { NetworkService } from "../network/network-service.ts";
import { LifecycleEvents } from "../sandbox/events.ts";
import { SandboxService } from "../sandbox/sandbox-service.ts";
import { type NodeInfo, readNodeInfo } from "../stats/node-info.ts";
import { UsageService } from "../stats/usage-service.ts";
import { Store } from "../store/store.ts";
import { WhyService } from "../why/why-service.ts";
import { bootId, readNodeFacts } from "./node-facts.ts";
import { askRuntime, canJoinUserNamespaces, findOwnRuntime, findProgram, findRuntimes, hasMountSetattr } from "./oci-runtimes.ts";

export interface Node {
  readonly engine: Engine;
  stop(): Promise<void>;
}

/** Records of the node itself: made once, at the first start. */
interface NodeRecord {
  readonly id: "node";
  /** eight hexadecimal digits in the names of all kernel objects of this root */
  readonly instanceId: string;
}

async function instanceIdOf(store: Store): Promise<string> {
  const records = store.collection<NodeRecord>("node");
  const known = records.get("node");
  if (known !== undefined) return known.instanceId;
  const instanceId = randomBytes(4).toString("hex");
  await store.commit(records.put({ id: "node", instanceId }));
  return instanceId;
}

/** A start that fails takes back what it has started, the last first; so does the stop. */
export async function startNode({ config, settings }: Loaded, log: Log): Promise<Node> {
  const canMountReadOnly = hasMountSetattr(release());
  const runtimes = findRuntimes(config.runtime, config.moreRuntimes, canMountReadOnly ? findOwnRuntime(config.shimPath) : undefined);
  await using started = new AsyncDisposableStack();
  const store = await Store.open(config.root, threadUrl("./store-worker.mjs", "../store/worker.ts"));
  started.defer(() => store.close());
  // A fork of this process stops it for milliseconds: not before the first calls have their answers.
  const asking = Promise.all([...runtimes].map(async ([name, runtime]) => ({ name, runtime, facts: await askRuntime(runtime) })));
  // Uploads and checkpoints that a crash cut off; before the records are ours they may be another berthd's.
  await rm(uploadDir(config), { recursive: true, force: true });
  const checkpointDir = join(config.root, "checkpoints");
  await rm(checkpointDir, { recursive: true, force: true });
  const instanceId = await instanceIdOf(store);
  const helperProcess = config.manageHelper ? new HelperProcess(helperOptions(config, log)) : undefined;
  const client = helperProcess?.client ?? new HelperClient(config.helperSocket);
  started.defer(() => client.close());
  started.defer(() => helperProcess?.stop());
  const hello = helperProcess === undefined ? await client.hello() : await helperProcess.ensure();
  requireProtocol("helper", hello.protocolVersion, "install the helper of this build, and start it");
  const clock = systemClock();
  const events = new LifecycleEvents(store, instanceId, () => clock.nowNanos());
  const [inHand, activities] = [new InHand(), new Activities(clock)];
  const shared = { store, helper: client, log, clock, events, inHand, activities };
  const ownsCgroupParent = config.cgroupParent === "";
  const ownCgroup = `/berth-${instanceId}`;
  const cgroupParent = ownsCgroupParent ? ownCgroup : config.cgroupParent;
  const { bridge, podSubnet, networkMtu: mtu } = config;
  const network = new NetworkService({ ...shared, instanceId, bootId: bootId(), bridge, podSubnet, mtu });
  started.defer(() => network.removeUnused().catch((failure: unknown) => log.warn({ err: messageOf(failure) }, "the pod network stays")));
  const images = await ImageService.open({ ...shared, root: config.root, registryConfigDir: config.registryConfigDir });
  const expectMoves = (handler: string): void => {
    if (runtimes.get(handler)?.waitsToMove === true) client.expectMoves();
  };
  const sandboxes = new SandboxService({
    ...shared,
    network,
    bootId: bootId(),
    strict: config.strict,
    state: config.state,
    cgroupParent,
    ownCgroup,
    shimProgram: findProgram(config.shimPath),
    handlers: new Set(runtimes.keys()),
    expectMoves,
  });
  started.defer(() => sandboxes.close());
  const cdiSpecs = new CdiSpecFiles(config.cdiSpecDirs);
  const containers = new ContainerService({
    ...shared,
    sandboxes,
    images,
    node: readNodeFacts(hello, config),
    cdiSpecs,
    appArmor: kernelAppArmor(findProgram("apparmor_parser")),
    strict: config.strict,
    root: config.root,
    runtime: (handler) => requireRuntime(runtimes, handler),
    expectMoves,
    runtimeTimeoutMs: config.runtimeTimeoutSeconds * 1000,
    checkpoints: {
      isEnabled: config.checkpoints,
      folder: checkpointDir,
      mayRuntime: async (handler) => (await asking).find(({ name }) => name === handler)?.facts.checkpoints !== false,
    },
    logRotation: { maxBytes: BigInt(config.containerLogMaxBytes), maxFiles: config.containerLogMaxFiles },
  });
  await sandboxes.recover();
  // A network that can't be made is told by Status, and tried again by the next pod that wants it.
  await network.ensure().catch(() => {});
  let nodeInfo: NodeInfo | undefined;
  void readNodeInfo(threadUrl("./node-info-worker.mjs", "../stats/node-info-worker.ts")).then((info) => {
    nodeInfo = info;
  });
  const { root, state } = config;
  const audit = new AuditService({
    ...shared,
    sandboxes,
    containers,
    images,
    network,
    root,
    state,
    uploadDir: uploadDir(config),
    cgroupParent,
    ownsCgroupParent,
  });
  started.defer(() => audit.stop());
  const streaming = await StreamingServer.open({
    address: config.streamAddress,
    port: config.streamPort,
    idleTimeoutMs: config.streamIdleTimeoutSeconds * 1000,
    log,
  });
  started.defer(() => streaming.close());
  const asked = (await asking).map(({ name, runtime, facts }) => ({
    name,
    ...runtime,
    ...facts,
    userNamespaces: hello.idMappedLayers && canJoinUserNamespaces(runtime, facts),
  }));
  const engine: Engine = {
    streaming,
    sandboxes,
    containers,
    images,
    network,
    events,
    nowNanos: () => clock.nowNanos(),
    usage: new UsageService(client, network),
    audit,
    settings,
    why: new WhyService({ ...shared, sandboxes, containers, images, network, nowNanos: () => clock.nowNanos() }),
    runtimeProblem: () => runtimeProblem(runtimes.get("")?.path),
    diskProblem: () => store.requireRoom().then(() => undefined, messageOf),
    handlers: new Set(["", ...runtimes.keys()]),
    userNamespaceHandlers: new Set(asked.filter(({ userNamespaces }) => userNamespaces).map(({ name }) => name)),
    recursiveReadOnlyMounts: canMountReadOnly,
    describe: () => ({ instanceId, node: nodeInfo, cgroupMode: hello.cgroupMode, ...config, runtimes: asked }),
    describeCdi: async () => ({ specDirs: cdiSpecs.folders, ...describeDevices(await cdiSpecs.read()) }),
    uploadDir: uploadDir(config),
    inHand,
  };
  // Once all containers have said what they use; nobody waits for it.
  void images.collectGarbage();
  audit.start();
  const imageGc = new ImageGc({
    images,
    policy: { highPercent: config.imageGcHighPercent, lowPercent: config.imageGcLowPercent, minAgeMs: config.imageGcMinAgeSeconds * 1000 },
    space: () => spaceOf(config.root),
    nowMs: () => Date.now(),
    log,
  });
  imageGc.start();
  started.defer(() => imageGc.stop());
  const stack = started.move();
  return { engine, stop: () => stack.disposeAsync() };
}

const uploadDir = (config: Config): string => join(config.root, "uploads");

function helperOptions(config: Config, log: Log) {
  const program = findProgram(config.helperPath);
  const shimProgram = findProgram(config.shimPath);
  if (program === undefined) throw new AgentError("failed-precondition", `find helper ${config.helperPath}: there is no such program`);
  if (shimProgram === undefined) throw new AgentError("failed-precondition", `find shim ${config.shimPath}: there is no such program`);
  return { program, shimProgram, socketPath: config.helperSocket, root: config.root, state: config.state, log };
}

/** A program may go while berthd runs, as when a package is changed. */
function runtimeProblem(path: string | undefined): string | undefined {
  if (path === undefined) return "neither crun nor runc is installed";
  return findProgram(path) === undefined ? `${path} is not there any more` : undefined;
}

function requireRuntime(runtimes: ReadonlyMap<string, OciRuntime>, handler: string): OciRuntime {
  const runtime = runtimes.get(handler);
  if (runtime === undefined)
    throw new AgentError("failed-precondition", `find OCI runtime of handler ${JSON.stringify(handler)}: it is not installed`);
  return runtime;
}

// The bundle has its threads beside it; unbuilt sources have them where they belong.
function threadUrl(bundled: string, source: string): URL {
  return new URL(import.meta.url.endsWith(".mjs") ? bundled : source, import.meta.url);
}
