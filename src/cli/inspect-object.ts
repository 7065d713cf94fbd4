// A pod, container or image as one JSON object: what the node says of it, enums by name, whole numbers as the wire has them
// and bytes in base64. Pure.
import {
  ContainerState,
  type ContainerStatusResponse,
  type ImageStatusResponse,
  MountPropagation,
  NamespaceMode,
  PodSandboxState,
  type PodSandboxStatusResponse,
  Signal,
} from "../generated/cri/runtime/v1/api.ts";
import { formatData } from "./table.ts";

type Inspection = Readonly<Record<string, unknown>>;

export function inspectPod({ status, containersStatuses, info }: PodSandboxStatusResponse): Inspection {
  const options = status?.linux?.namespaces?.options;
  const namespaces = options && {
    ...options,
    network: nameOf(NamespaceMode, options.network),
    pid: nameOf(NamespaceMode, options.pid),
    ipc: nameOf(NamespaceMode, options.ipc),
  };
  const told = status && {
    ...status,
    state: nameOf(PodSandboxState, status.state),
    linux: status.linux && { ...status.linux, namespaces: { options: namespaces } },
  };
  const containers = containersStatuses.map(({ id, metadata, state }) => ({ id, ...metadata, state: nameOf(ContainerState, state) }));
  return withInfo({ type: "pod", status: told, containers }, info);
}

export function inspectContainer({ status, info }: ContainerStatusResponse): Inspection {
  const told = status && {
    ...status,
    state: nameOf(ContainerState, status.state),
    mounts: status.mounts.map((mount) => ({ ...mount, propagation: nameOf(MountPropagation, mount.propagation) })),
    stopSignal: nameOf(Signal, status.stopSignal),
  };
  return withInfo({ type: "container", status: told }, info);
}

export const inspectImage = ({ image, info }: ImageStatusResponse): Inspection => withInfo({ type: "image", status: image }, info);

/** An array, as of other programs that inspect. */
export const formatInspections = (all: readonly Inspection[], output: "json" | "yaml" = "json"): string => formatData(plain(all), output);

/** What the node adds for people, parsed where it is JSON; what is told already stays. */
function withInfo(object: Inspection, info: Readonly<Record<string, string>>): Inspection {
  const added = Object.entries(info).filter(([key]) => !Object.hasOwn(object, key));
  return { ...object, ...Object.fromEntries(added.map(([key, text]) => [key, parsed(text)])) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const nameOf = (values: Readonly<Record<string, number>>, value: number): string | number =>
  Object.entries(values).find(([, each]) => each === value)?.[0] ?? value;

function plain(value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plain(each)]));
}
