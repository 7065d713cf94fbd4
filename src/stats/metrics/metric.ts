// One metric of ListPodSandboxMetrics: its description, and what it is of a cgroup. What the kernel does not say has no sample.
import type { Disk } from "../disk.ts";
import type { MeasuredUsage } from "../usage-service.ts";

/** What a metric may be read from: a pod, or a container of it. */
export interface MetricSource {
  readonly usage: MeasuredUsage;
  readonly startedAtNanos: bigint;
  /** of a container, the file system of its writable layer */
  readonly disk: Disk | undefined;
  /** of a container: whether it waits for room for its log */
  readonly isLogBlocked: boolean | undefined;
}

export interface Sample {
  /** values of the metric's own labels */
  readonly labels: readonly string[];
  readonly value: bigint;
}

export interface Metric {
  readonly name: string;
  readonly help: string;
  readonly kind: "counter" | "gauge";
  /** besides those that every metric has */
  readonly labels: readonly string[];
  readonly read: (source: MetricSource) => readonly Sample[];
}

type Read = (source: MetricSource) => bigint | undefined;

export const sample = (value: bigint | undefined, ...labels: readonly string[]): Sample[] =>
  value === undefined ? [] : [{ labels, value }];

export const counter = (name: string, help: string, read: Read): Metric => single(name, help, "counter", read);
export const gauge = (name: string, help: string, read: Read): Metric => single(name, help, "gauge", read);

const single = (name: string, help: string, kind: Metric["kind"], read: Read): Metric => ({
  name,
  help,
  kind,
  labels: [],
  read: (source) => sample(read(source)),
});

/** The CRI's values are whole numbers. */
export const seconds = (nanos: bigint | undefined): bigint | undefined => (nanos === undefined ? undefined : nanos / 1_000_000_000n);
