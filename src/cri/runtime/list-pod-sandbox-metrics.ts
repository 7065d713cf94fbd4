import type { ListPodSandboxMetricsRequest, ListPodSandboxMetricsResponse, PodSandboxMetrics } from "../../generated/cri/runtime/v1/api.ts";
import type { SandboxRecord } from "../../sandbox/records.ts";
import { readDisk } from "../../stats/disk.ts";
import { toPodSandboxMetrics } from "../convert/metrics.ts";
import type { Handler } from "../edge.ts";
import type { Engine } from "../engine.ts";
import { measureSandboxes } from "../measured-sandboxes.ts";

export const listPodSandboxMetrics: Handler<ListPodSandboxMetricsRequest, ListPodSandboxMetricsResponse> = async (engine) => ({
  podMetrics: await metricsOf(engine, measurable(engine)),
});

export const measurable = (engine: Engine): SandboxRecord[] => engine.sandboxes.list().filter((sandbox) => sandbox.state === "ready");

export async function metricsOf(engine: Engine, sandboxes: readonly SandboxRecord[]): Promise<PodSandboxMetrics[]> {
  const { mountpoint, device } = engine.images;
  const [disk, measured] = await Promise.all([readDisk(mountpoint, device), measureSandboxes(engine, sandboxes, "details")]);
  return measured.map((each) => toPodSandboxMetrics(each, disk));
}
