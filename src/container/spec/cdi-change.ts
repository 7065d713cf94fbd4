// What devices of CDI change in the OCI spec of a container. Pure. @source the CDI specification, "OCI Edits"
import type { CdiMount } from "../cdi/cdi-spec.ts";
import { type CdiChange, isBind } from "../cdi/resolve-edits.ts";
import type { ContainerRecord } from "../records.ts";
import { inOrder, normalized } from "./mounts.ts";
import type { OciHooks, OciMount, OciProcess, OciSpec } from "./oci.ts";

// What runc takes where there is none; crun would make a node that nobody may open.
const DEFAULT_MODE = 0o666;

/** Variables and groups, which a command that is run in the container later has too. A variable that is there gets its new value. */
export function withCdiProcess(process: OciProcess, change: CdiChange): OciProcess {
  const env = new Map(process.env.map((entry) => [nameOf(entry), entry]));
  for (const entry of change.env) env.set(nameOf(entry), entry);
  const additionalGids = [...new Set([...process.user.additionalGids, ...change.additionalGids])];
  return { ...process, env: [...env.values()], user: { ...process.user, additionalGids } };
}

const nameOf = (entry: string): string => entry.slice(0, Math.max(0, entry.indexOf("=")));

/** Devices, mounts and hooks. One of ours at a device's or a mount's place is replaced. */
export function addCdi(spec: OciSpec, change: CdiChange, container: Pick<ContainerRecord, "user" | "config">): void {
  addDevices(spec, change, container);
  for (const each of change.mounts) {
    const place = normalized(each.containerPath);
    spec.mounts = [...spec.mounts.filter(({ destination }) => normalized(destination) !== place), ociMount(each)];
  }
  spec.mounts = inOrder(spec.mounts);
  if (change.hooks.length > 0) spec.hooks = ociHooks(change);
}

function addDevices(spec: OciSpec, { deviceNodes }: CdiChange, { user, config }: Pick<ContainerRecord, "user" | "config">): void {
  for (const { permissions, uid = user.uid, gid = user.gid, fileMode = DEFAULT_MODE, ...node } of deviceNodes) {
    const device = { ...node, uid, gid, fileMode };
    spec.linux.devices = [...(spec.linux.devices ?? []).filter(({ path }) => path !== node.path), device];
    // A privileged container may use all there are already.
    if (node.type !== "p" && permissions !== "" && !config.security.privileged)
      spec.linux.resources.devices.push({ allow: true, type: node.type, major: node.major, minor: node.minor, access: permissions });
  }
}

function ociMount({ containerPath, hostPath, type, options }: CdiMount): OciMount {
  if (!isBind(type)) return { destination: containerPath, type, source: hostPath, options: [...options] };
  const isBound = options.some((option) => option === "bind" || option === "rbind");
  return { destination: containerPath, type: "bind", source: hostPath, options: isBound ? [...options] : ["rbind", ...options] };
}

function ociHooks({ hooks }: CdiChange): OciHooks {
  const all: OciHooks = {};
  for (const { hookName, path, args, env, timeout } of hooks) {
    const hook = { path, ...(args.length === 0 ? {} : { args: [...args] }), env: [...env], ...(timeout === undefined ? {} : { timeout }) };
    all[hookName] = [...(all[hookName] ?? []), hook];
  }
  return all;
}
