// CreateContainer: intent written, then the root mounted by the shim, then created on disk.
import { join } from "node:path";
import type { ShowStage } from "../base/activity.ts";
import { AgentError, messageOf, refuseWhereStrict, wrap } from "../base/errors.ts";
import { type ContainerId, newContainerId, type SandboxId } from "../base/ids.ts";
import { Stages } from "../base/timeline.ts";
import type { ImageRecord } from "../image/image-service.ts";
import type { SandboxRecord } from "../sandbox/records.ts";
import { chooseAppArmor } from "./choose-apparmor.ts";
import type { ContainerContext } from "./context.ts";
import { checkPidTarget } from "./pid-namespace.ts";
import { cdiChange } from "./cdi/cdi-change.ts";
import { isBind } from "./cdi/resolve-edits.ts";
import { findDevices, nodeDevices } from "./devices.ts";
import type { ContainerConfig, ContainerRecord, ContainerUser } from "./records.ts";
import { buildSpec } from "./spec/build-spec.ts";
import { localhostSeccomp } from "./spec/localhost-seccomp.ts";
import { requestedUser } from "./spec/process.ts";
import { nextContainerState } from "./state.ts";
import { checkUserNamespace } from "./user-namespace.ts";
import { findVolumeImages, releaseImages, retainImages, shimVolumes } from "./volumes.ts";

const NO_USER: ContainerUser = { uid: 0, gid: 0, additionalGids: [] };

export async function createContainer(context: ContainerContext, sandboxId: SandboxId, config: ContainerConfig): Promise<ContainerId> {
  const sandbox = context.sandboxes.get(sandboxId);
  if (sandbox.state !== "ready")
    throw new AgentError("failed-precondition", `create container ${config.name}: pod ${sandboxId} is ${sandbox.state}`);
  const image = context.images.find(config.image);
  if (image === undefined)
    throw new AgentError(
      "not-found",
      `create container ${config.name}: image ${JSON.stringify(config.image)} is not on this node; pull it first`,
    );
  const id = newContainerId();
  const subject = { objectId: id, parentId: sandboxId, names: [config.name, `${sandbox.config.metadata.name}/${config.name}`] };
  return await context.activities.during("CreateContainer", subject, (show) => create(context, id, sandbox, config, image, show));
}

async function create(
  context: ContainerContext,
  id: ContainerId,
  sandbox: SandboxRecord,
  asked: ContainerConfig,
  image: ImageRecord,
  show: ShowStage,
): Promise<ContainerId> {
  try {
    checkUserNamespace(asked, sandbox.config);
    // @source the CRI, LinuxSandboxSecurityContext.privileged
    if (asked.security.privileged && !sandbox.config.privileged)
      throw new AgentError("invalid-argument", "read container config: it is privileged, and its pod is not");
    const config = findVolumeImages(asked, context.images);
    show("mounts");
    const seccompFilter = await localhostSeccomp(config.security, context.node.capabilities);
    // Privileged means every device of the node, and those that were asked for where they were asked for.
    const devices = [...(config.security.privileged ? await nodeDevices() : []), ...(await findDevices(config.devices ?? []))];
    const cdi = await cdiChange(config.cdiDevices ?? [], context.cdiSpecs);
    const confined = await chooseAppArmor(config.security, context.appArmor);
    const plan = planRecord(context, id, sandbox, config, image);
    const wanted = { ...plan, seccompFilter, appArmorProfile: confined.profile, devices, cdi };
    // All that can be refused is refused here, before anything is made.
    const built = buildSpec(wanted, sandbox, image.config, context.node);
    const warnings = [...built.warnings, ...confined.warnings];
    refuseWhereStrict(context.strict, warnings);
    const planned = { ...wanted, warnings };
    checkPidTarget(context, planned);
    const user = requestedUser(config, image.config);
    await checkMounts(context, planned);
    // Of a start that follows at once.
    context.expectMoves(sandbox.config.runtimeHandler);
    return await context.lock.run(id, () => make(context, planned, image, user, show));
  } catch (failure) {
    throw wrap(failure, `create container ${asked.name} in pod ${sandbox.id}`);
  }
}

async function make(
  context: ContainerContext,
  planned: ContainerRecord,
  image: ImageRecord,
  user: string,
  show: ShowStage,
): Promise<ContainerId> {
  const { clock, images, records, sandboxes, store } = context;
  const stages = new Stages(clock, `container ${planned.config.name}`, planned.id, show);
  retainImages(planned, images);
  try {
    await stages.time("record", () => store.commitNewAhead(records.put(planned)));
    const { layersDir, lowerDirs } = images.lowerDirs(image);
    const made = await stages.time("root", () =>
      sandboxes.shim(planned.sandboxId).createContainer({
        containerId: planned.id,
        layersDir,
        lowerDirs,
        upperDir: join(planned.writableDir, "upper"),
        workDir: join(planned.writableDir, "work"),
        user,
        volumes: shimVolumes(sandboxes.get(planned.sandboxId), planned.config, images),
      }),
    );
    const created: ContainerRecord = {
      ...planned,
      state: nextContainerState(planned.state, "make"),
      user: { uid: made.uid, gid: made.gid, additionalGids: groups(planned.config, made.gid, made.additionalGids), home: made.home },
      stages: stages.list,
    };
    await store.commit(records.put(created));
    return planned.id;
  } catch (failure) {
    await undoCreate(context, planned);
    throw failure;
  }
}

/**
 * Takes back a container that was planned. What can't be taken back stays on record, for who settles the pod next: at once where its
 * shim has ended meanwhile, else an audit or the next start of berthd.
 */
export async function undoCreate(context: ContainerContext, planned: ContainerRecord): Promise<void> {
  const shim = context.sandboxes.findShim(planned.sandboxId);
  try {
    await shim?.deleteContainer(planned.id);
    await context.helper.removeTree(planned.writableDir);
    await context.store.commit(context.records.delete(planned.id));
    releaseImages(planned, context.images);
  } catch (failure) {
    const facts = { containerId: planned.id, err: messageOf(failure) };
    if (shim?.isOpen === false) context.log.info(facts, "a container that was not created goes with its pod, whose shim has ended");
    else context.log.error(facts, "a container that was not created could not be taken back whole");
  }
}

function planRecord(
  context: ContainerContext,
  id: ContainerId,
  sandbox: SandboxRecord,
  config: ContainerConfig,
  image: ImageRecord,
): ContainerRecord {
  return {
    id,
    sandboxId: sandbox.id,
    state: "planned",
    config,
    imageId: image.id,
    writableDir: join(context.root, "containers", id),
    cgroupPath: join(sandbox.cgroupPath, id),
    user: NO_USER,
    createdAtNanos: context.clock.nowNanos(),
    startedAtNanos: 0n,
    finishedAtNanos: 0n,
    pid: 0,
    exitCode: 0,
    reason: "",
    message: "",
    stages: [],
    warnings: [],
  };
}

// The primary group is among them, as after a login: a program that gives up its primary group must not thereby gain what a
// file's mode denies that group (CVE-2022-2989 and its like).
function groups(config: ContainerConfig, primary: number, ofImage: readonly number[]): number[] {
  const { groupsPolicy, supplementalGroups } = config.security;
  return [...new Set([primary, ...(groupsPolicy === "strict" ? [] : ofImage), ...supplementalGroups])];
}

// A runtime would make a missing source as an empty folder, or fail in words that name neither mount nor container.
async function checkMounts({ mountSources }: ContainerContext, { config, cdi }: ContainerRecord): Promise<void> {
  for (const mount of config.mounts) {
    if (!mount.containerPath.startsWith("/") || /[\0]/.test(mount.containerPath)) {
      throw new AgentError("invalid-argument", `read mount ${JSON.stringify(mount.containerPath)}: container_path is not absolute`);
    }
    if (mount.image !== undefined) continue;
    await mountSources.check(mount);
  }
  for (const mount of cdi?.mounts ?? []) if (isBind(mount.type)) await mountSources.check(mount);
}
