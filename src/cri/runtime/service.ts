// RuntimeService: all its calls.
import type { UntypedServiceImplementation } from "@grpc/grpc-js";
import type { RuntimeServiceServer } from "../../generated/cri/runtime/v1/api.ts";
import type { Edge } from "../edge.ts";
import { attach } from "./attach.ts";
import { checkpointContainer } from "./checkpoint-container.ts";
import { containerStats } from "./container-stats.ts";
import { containerStatus } from "./container-status.ts";
import { createContainer } from "./create-container.ts";
import { exec } from "./exec.ts";
import { execSync } from "./exec-sync.ts";
import { getContainerEvents } from "./get-container-events.ts";
import { listContainerStats } from "./list-container-stats.ts";
import { listContainers } from "./list-containers.ts";
import { listMetricDescriptors } from "./list-metric-descriptors.ts";
import { listPodSandboxMetrics } from "./list-pod-sandbox-metrics.ts";
import { listPodSandboxStats } from "./list-pod-sandbox-stats.ts";
import { listPodSandbox } from "./list-pod-sandbox.ts";
import { notOffered } from "./not-offered.ts";
import { podSandboxStats } from "./pod-sandbox-stats.ts";
import { podSandboxStatus } from "./pod-sandbox-status.ts";
import { portForward } from "./port-forward.ts";
import { removeContainer } from "./remove-container.ts";
import { removePodSandbox } from "./remove-pod-sandbox.ts";
import { reopenContainerLog } from "./reopen-container-log.ts";
import { runPodSandbox } from "./run-pod-sandbox.ts";
import { runtimeConfig } from "./runtime-config.ts";
import { startContainer } from "./start-container.ts";
import { status } from "./status.ts";
import { stopContainer } from "./stop-container.ts";
import { stopPodSandbox } from "./stop-pod-sandbox.ts";
import { streamContainers } from "./stream-containers.ts";
import { streamContainerStats } from "./stream-container-stats.ts";
import { streamPodSandboxMetrics } from "./stream-pod-sandbox-metrics.ts";
import { streamPodSandboxes } from "./stream-pod-sandboxes.ts";
import { streamPodSandboxStats } from "./stream-pod-sandbox-stats.ts";
import { updateContainerResources } from "./update-container-resources.ts";
import { updatePodSandboxResources } from "./update-pod-sandbox-resources.ts";
import { updateRuntimeConfig } from "./update-runtime-config.ts";
import { version } from "./version.ts";

export function runtimeService(edge: Edge): UntypedServiceImplementation {
  return {
    version: edge.early("Version", () => version(edge.version)),
    status: edge.unary("Status", status),
    runtimeConfig: edge.unary("RuntimeConfig", runtimeConfig),
    runPodSandbox: edge.unary("RunPodSandbox", runPodSandbox),
    stopPodSandbox: edge.unary("StopPodSandbox", stopPodSandbox),
    removePodSandbox: edge.unary("RemovePodSandbox", removePodSandbox),
    podSandboxStatus: edge.unary("PodSandboxStatus", podSandboxStatus),
    listPodSandbox: edge.unary("ListPodSandbox", listPodSandbox),
    createContainer: edge.unary("CreateContainer", createContainer),
    startContainer: edge.unary("StartContainer", startContainer),
    stopContainer: edge.unary("StopContainer", stopContainer),
    removeContainer: edge.unary("RemoveContainer", removeContainer),
    listContainers: edge.unary("ListContainers", listContainers),
    containerStatus: edge.unary("ContainerStatus", containerStatus),
    exec: edge.unary("Exec", exec),
    attach: edge.unary("Attach", attach),
    portForward: edge.unary("PortForward", portForward),
    execSync: edge.unary("ExecSync", execSync),
    reopenContainerLog: edge.unary("ReopenContainerLog", reopenContainerLog),
    updateContainerResources: edge.unary("UpdateContainerResources", updateContainerResources),
    updatePodSandboxResources: edge.unary("UpdatePodSandboxResources", updatePodSandboxResources),
    checkpointContainer: edge.unary("CheckpointContainer", checkpointContainer),
    checkpointPod: edge.unary("CheckpointPod", notOffered("checkpoint pod: memory of processes is not saved here")),
    restorePod: edge.unary("RestorePod", notOffered("restore pod: checkpoints are not read here")),
    updateRuntimeConfig: edge.unary("UpdateRuntimeConfig", updateRuntimeConfig),
    containerStats: edge.unary("ContainerStats", containerStats),
    listContainerStats: edge.unary("ListContainerStats", listContainerStats),
    podSandboxStats: edge.unary("PodSandboxStats", podSandboxStats),
    getContainerEvents: edge.serverStream("GetContainerEvents", getContainerEvents),
    listPodSandboxStats: edge.unary("ListPodSandboxStats", listPodSandboxStats),
    streamContainerStats: edge.download("StreamContainerStats", streamContainerStats),
    streamPodSandboxStats: edge.download("StreamPodSandboxStats", streamPodSandboxStats),
    listMetricDescriptors: edge.unary("ListMetricDescriptors", listMetricDescriptors),
    listPodSandboxMetrics: edge.unary("ListPodSandboxMetrics", listPodSandboxMetrics),
    streamPodSandboxes: edge.download("StreamPodSandboxes", streamPodSandboxes),
    streamContainers: edge.download("StreamContainers", streamContainers),
    streamPodSandboxMetrics: edge.download("StreamPodSandboxMetrics", streamPodSandboxMetrics),
  } satisfies Partial<RuntimeServiceServer>;
}
