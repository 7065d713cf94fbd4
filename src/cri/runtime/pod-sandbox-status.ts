import type { ContainerStatus, PodSandboxStatusRequest, PodSandboxStatusResponse } from "../../generated/cri/runtime/v1/api.ts";
import type { Resources, SandboxRecord } from "../../sandbox/records.ts";
import { toContainerStatus } from "../convert/container-status.ts";
import { toPodSandboxStatus } from "../convert/sandbox-status.ts";
import type { Handler } from "../edge.ts";
import type { Engine } from "../engine.ts";
import { resolveSandboxId } from "../resolve-id.ts";

export const statusesOfContainers = (engine: Engine, sandbox: SandboxRecord): ContainerStatus[] =>
  engine.containers
    .ofSandbox(sandbox.id)
    .map((container) => toContainerStatus(container, engine.images.find(container.imageId), sandbox.config.logDirectory));

export const podSandboxStatus: Handler<PodSandboxStatusRequest, PodSandboxStatusResponse> = async (engine, request) => {
  const sandbox = engine.sandboxes.get(resolveSandboxId(engine, request.podSandboxId));
  const { shim, portProxy, cgroupPath, stateDir, warnings, config } = sandbox;
  const details = {
    shimPid: shim?.pid,
    shimBuild: request.verbose ? await engine.sandboxes.shimBuild(sandbox.id) : undefined,
    cgroupPath,
    stateDir,
    network: config.network,
    ports: config.hostPorts ?? [],
    portProxyPid: portProxy?.pid,
    runtimeHandler: config.runtimeHandler,
    resources: told(config.resources),
    overhead: told(config.overhead),
    warnings,
  };
  return {
    status: toPodSandboxStatus(sandbox),
    info: request.verbose ? { info: JSON.stringify(details) } : {},
    containersStatuses: statusesOfContainers(engine, sandbox),
    timestamp: engine.nowNanos(),
  };
};

/** JSON has no whole numbers past 2^53, so limits are decimal strings. */
const told = (resources: Resources | undefined): unknown =>
  resources && JSON.parse(JSON.stringify(resources, (_name, value: unknown) => (typeof value === "bigint" ? value.toString() : value)));
