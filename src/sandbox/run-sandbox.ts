// RunPodSandbox: intent written, then the pod in the kernel, then ready on disk.
import { hostname as nodeHostname } from "node:os";
import type { ShowStage } from "../base/activity.ts";
import { AgentError, during, kindOf, messageOf, refuseWhereStrict, wrap } from "../base/errors.ts";
import { newSandboxId, type SandboxId } from "../base/ids.ts";
import { Stages } from "../base/timeline.ts";
import { NamespaceUse } from "../generated/berth/native/helper.ts";
import { addressesOf } from "../network/records.ts";
import { execCgroupPath, type SandboxContext, sandboxPaths } from "./context.ts";
import { checkLineValues, etcFiles } from "./etc-files.ts";
import { cgroupLimits } from "./limits.ts";
import { podLimits } from "./pod-limits.ts";
import { podAddresses, type SandboxConfig, type SandboxRecord } from "./records.ts";
import { nextSandboxState } from "./state.ts";
import { teardownSandbox } from "./teardown.ts";

// What Docker and containerd give a pod's /dev/shm.
const SHM_BYTES = 64n * 1024n * 1024n;

export async function runSandbox(context: SandboxContext, config: SandboxConfig): Promise<SandboxId> {
  checkLineValues(config);
  if (!context.handlers.has(config.runtimeHandler)) {
    const known = [...context.handlers].map((name) => JSON.stringify(name)).join(", ");
    throw new AgentError(
      "invalid-argument",
      `run pod sandbox: runtime handler ${JSON.stringify(config.runtimeHandler)} is not one of ${known}`,
    );
  }
  await during("run pod sandbox", async () => refuseWhereStrict(context.strict, config.notApplied ?? []));
  const id = newSandboxId();
  const { namespace, name } = config.metadata;
  const subject = { objectId: id, names: [name, `${namespace}/${name}`] };
  return await context.activities.inTurn("RunPodSandbox", subject, context.lock, (show) => run(context, id, config, show));
}

async function run(context: SandboxContext, id: SandboxId, config: SandboxConfig, show: ShowStage): Promise<SandboxId> {
  const { clock, store, records, helper } = context;
  const stages = new Stages(clock, "sandbox", "", show);
  if (config.network === "bridge") await stages.time("network", () => context.network.ensure());
  const podName = (other: string): string => {
    const metadata = records.get(other)?.config.metadata;
    return metadata === undefined ? other : `${metadata.namespace}/${metadata.name} (${other})`;
  };
  const plan = config.network === "bridge" ? context.network.plan(id, config.hostPorts ?? [], podName) : undefined;
  const planned = planRecord(context, id, config, plan === undefined ? [] : addressesOf(plan.record).map(({ address }) => address));
  try {
    await stages.time("record", () => store.commitNewAhead(records.put(planned), ...(plan === undefined ? [] : [plan.change])));
  } catch (failure) {
    if (plan !== undefined) context.network.abandon(plan.record);
    throw wrap(failure, `run pod sandbox ${id}: record`);
  }
  let sandbox = planned;
  try {
    const hostname = podHostname(config);
    const limits = podLimits(config);
    const files = await stages.time("files", () => etcFiles(config, hostname, podAddresses(planned)));
    const start = () =>
      helper.startSandbox({
        sandboxId: id,
        stateDir: planned.stateDir,
        socketPath: planned.socketPath,
        cgroupPath: planned.cgroupPath,
        limits: limits === undefined ? undefined : cgroupLimits(limits),
        network: config.network === "host" ? NamespaceUse.NAMESPACE_USE_HOST : NamespaceUse.NAMESPACE_USE_NEW,
        ipc: config.ipc === "node" ? NamespaceUse.NAMESPACE_USE_HOST : NamespaceUse.NAMESPACE_USE_NEW,
        // As kubelet and containerd have it: a pod on the node's network has the node's name too.
        uts: config.network === "host" ? NamespaceUse.NAMESPACE_USE_HOST : NamespaceUse.NAMESPACE_USE_NEW,
        hostname,
        sysctls: { ...config.sysctls },
        endpoint: plan?.endpoint,
        shmBytes: SHM_BYTES,
        userNamespace: config.userNamespace,
        nftTable: context.network.nftTable,
        hostPorts: plan?.hostPorts ?? [],
        etcFiles: files,
        execCgroupPath: execCgroupPath(context, id),
      });
    const started = await stages.time("start", () => (plan === undefined ? start() : withNetwork(context, start)));
    // Of the containers that follow at once.
    context.expectMoves(config.runtimeHandler);
    stages.addAll(started.stages);
    sandbox = {
      ...planned,
      shim: { pid: started.shimPid, startTicks: started.shimStartTicks },
      portProxy: started.portProxyPid === 0 ? undefined : { pid: started.portProxyPid, startTicks: started.portProxyStartTicks },
      cgroupOwned: started.cgroupCreated,
      warnings: [...(config.notApplied ?? []), ...started.warnings],
    };
    refuseWhereStrict(context.strict, started.warnings);
    await stages.time("connect", () => context.shims.connect(sandbox));
    const ready: SandboxRecord = { ...sandbox, state: nextSandboxState(sandbox.state, "run"), stages: stages.list };
    await store.commit(records.put(ready));
    return id;
  } catch (failure) {
    show("undo");
    await undoRun(context, sandbox);
    throw wrap(failure, `run pod sandbox ${id}`);
  }
}

/** Somebody may have taken the bridge away since it was made: then it is made again, once. */
async function withNetwork<T>(context: SandboxContext, start: () => Promise<T>): Promise<T> {
  try {
    return await start();
  } catch (failure) {
    if (kindOf(failure) !== "not-found") throw failure;
    context.log.warn({ err: messageOf(failure) }, "a pod could not be put on its network; the network is made again");
    await context.network.mend();
    return await start();
  }
}

/** Takes back a run that did not come to its end. What can't be taken back stays on record, for the next start of berthd. */
export async function undoRun(context: SandboxContext, sandbox: SandboxRecord): Promise<void> {
  try {
    // Nobody but this run has used the cgroup if it was made by it; a planned record does not know, and asks for its default place only.
    await teardownSandbox(context, { ...sandbox, cgroupOwned: sandbox.cgroupOwned || sandbox.cgroupPrune !== "" });
    await context.store.commit(context.records.delete(sandbox.id));
  } catch (failure) {
    context.log.error({ podSandboxId: sandbox.id, err: messageOf(failure) }, "a pod that did not start could not be taken back whole");
  }
}

function planRecord(context: SandboxContext, id: SandboxId, config: SandboxConfig, addresses: readonly string[]): SandboxRecord {
  const [address = "", ...additionalAddresses] = addresses;
  const named = config.cgroupParent !== "";
  return {
    id,
    state: "planned",
    config,
    createdAtNanos: context.clock.nowNanos(),
    bootId: context.bootId,
    ...sandboxPaths(context.state, id),
    hasOwnEtc: true,
    // A parent that the caller names is the pod's own cgroup: the kubelet makes one for each pod.
    cgroupPath: named ? config.cgroupParent : `${context.cgroupParent}/${id}`,
    cgroupPrune: named ? "" : context.cgroupParent,
    cgroupOwned: false,
    shim: undefined,
    address,
    additionalAddresses,
    stages: [],
    warnings: [],
  };
}

function podHostname(config: SandboxConfig): string {
  if (config.network === "host") return nodeHostname();
  return config.hostname;
}
