// Sandbox records → runtime.v1.
import { NamespaceMode, type PodSandbox, type PodSandboxStatus, PodSandboxState } from "../../generated/cri/runtime/v1/api.ts";
import type { SandboxRecord } from "../../sandbox/records.ts";

const PID = { container: NamespaceMode.CONTAINER, pod: NamespaceMode.POD, node: NamespaceMode.NODE } as const;

export const toSandboxState = (sandbox: SandboxRecord): PodSandboxState =>
  sandbox.state === "ready" ? PodSandboxState.SANDBOX_READY : PodSandboxState.SANDBOX_NOTREADY;

export function toPodSandbox(sandbox: SandboxRecord): PodSandbox {
  return {
    id: sandbox.id,
    metadata: { ...sandbox.config.metadata },
    state: toSandboxState(sandbox),
    createdAt: sandbox.createdAtNanos,
    labels: { ...sandbox.config.labels },
    annotations: { ...sandbox.config.annotations },
    runtimeHandler: sandbox.config.runtimeHandler,
  };
}

export function toPodSandboxStatus(sandbox: SandboxRecord): PodSandboxStatus {
  return {
    ...toPodSandbox(sandbox),
    network: { ip: sandbox.state === "ready" ? sandbox.address : "", additionalIps: [] },
    linux: {
      namespaces: {
        options: {
          network: sandbox.config.network === "host" ? NamespaceMode.NODE : NamespaceMode.POD,
          pid: PID[sandbox.config.pid],
          ipc: sandbox.config.ipc === "node" ? NamespaceMode.NODE : NamespaceMode.POD,
          targetId: "",
          usernsOptions: undefined,
        },
      },
    },
  };
}
