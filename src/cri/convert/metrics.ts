// Metrics → runtime.v1.
import {
  type Metric as MetricProto,
  type MetricDescriptor,
  MetricType,
  type PodSandboxMetrics,
} from "../../generated/cri/runtime/v1/api.ts";
import type { Disk } from "../../stats/disk.ts";
import type { Metric, MetricSource } from "../../stats/metrics/metric.ts";
import { ALL_METRICS, CGROUP_METRICS } from "../../stats/metrics/metrics.ts";
import { NETWORK_METRICS } from "../../stats/metrics/network.ts";
import type { MeasuredSandbox } from "../measured-sandboxes.ts";

const TYPE = { counter: MetricType.COUNTER, gauge: MetricType.GAUGE } as const;

// Of every metric, in this order; `id` is the cgroup, as cAdvisor has it.
const LABELS = ["container", "id", "image", "namespace", "pod"] as const;
type Labels = Readonly<Record<(typeof LABELS)[number], string>>;

export const toMetricDescriptors = (): MetricDescriptor[] =>
  ALL_METRICS.map(({ name, help, labels }) => ({ name, help, labelKeys: [...LABELS, ...labels] }));

/** The network is that of a container "POD", which is where people look for it; the pod's cgroup has no name. */
export function toPodSandboxMetrics({ sandbox, usage, containers }: MeasuredSandbox, disk: Disk): PodSandboxMetrics {
  const { name, namespace } = sandbox.config.metadata;
  const pod: Labels = { container: "", id: sandbox.cgroupPath, image: "", namespace, pod: name };
  const source = { usage, startedAtNanos: sandbox.createdAtNanos, disk: undefined, isLogBlocked: undefined };
  return {
    podSandboxId: sandbox.id,
    metrics: [...toMetrics(CGROUP_METRICS, source, pod), ...toMetrics(NETWORK_METRICS, source, { ...pod, container: "POD" })],
    containerMetrics: containers.map(({ container, usage: own, isLogBlocked }) => {
      const { name: containerName, image, userSpecifiedImage } = container.config;
      const labels = { ...pod, container: containerName, id: container.cgroupPath, image: userSpecifiedImage || image };
      return {
        containerId: container.id,
        metrics: toMetrics(CGROUP_METRICS, { usage: own, startedAtNanos: container.startedAtNanos, disk, isLogBlocked }, labels),
      };
    }),
  };
}

function toMetrics(metrics: readonly Metric[], source: MetricSource, labels: Labels): MetricProto[] {
  const common = LABELS.map((label) => labels[label]);
  return metrics.flatMap(({ name, kind, read }) =>
    read(source).map((sample) => ({
      name,
      timestamp: source.usage.timestampNanos,
      metricType: TYPE[kind],
      labelValues: [...common, ...sample.labels],
      value: { value: sample.value },
    })),
  );
}
