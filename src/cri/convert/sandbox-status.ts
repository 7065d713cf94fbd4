// Sandbox records → runtime.v1.
import { NamespaceMode, type PodSandbox, type PodSandboxStatus, PodSandboxState } from "../../generated/cri/runtime/v1/api.ts";
import { fromUserNamespace } from "./user-namespace.ts";
import { podAddresses, type SandboxRecord } from "../../sandbox/records.ts";

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
  const [ip = "", ...additional] = sandbox.state === "ready" ? podAddresses(sandbox) : [];
  return {
    ...toPodSandbox(sandbox),
    network: { ip, additionalIps: additional.map((address) => ({ ip: address })) },
    linux: {
      namespaces: {
        options: {
          network: sandbox.config.network === "host" ? NamespaceMode.NODE : NamespaceMode.POD,
          pid: PID[sandbox.config.pid],
          ipc: sandbox.config.ipc === "node" ? NamespaceMode.NODE : NamespaceMode.POD,
          targetId: "",
          usernsOptions: fromUserNamespace(sandbox.config.userNamespace),
        },
      },
    },
  };
}
