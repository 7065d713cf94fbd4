import type { IoCounters } from "../../generated/berth/native/helper.ts";
import type { Disk } from "../disk.ts";
import { type Metric, type MetricSource, sample } from "./metric.ts";

const ofDisk = (name: string, help: string, read: (disk: Disk, source: MetricSource) => bigint | undefined): Metric => ({
  name,
  help,
  kind: "gauge",
  labels: ["device"],
  read: (source) => (source.disk === undefined ? [] : sample(read(source.disk, source), source.disk.device)),
});

const ofDevices = (name: string, help: string, read: (counters: IoCounters) => bigint): Metric => ({
  name,
  help,
  kind: "counter",
  labels: ["device"],
  read: ({ usage }) => (usage.details?.devices ?? []).flatMap(({ device, counters }) => sample(counters && read(counters), device)),
});

export const DISK_METRICS: readonly Metric[] = [
  ofDisk("container_fs_usage_bytes", "Bytes of the writable layer.", (_disk, { usage }) => usage.writableLayer?.bytes),
  ofDisk("container_fs_limit_bytes", "Bytes of the file system that the writable layer is on.", ({ totalBytes }) => totalBytes),
  ofDisk("container_fs_inodes_total", "Inodes of that file system.", ({ inodes }) => inodes),
  ofDisk("container_fs_inodes_free", "Inodes of it that are free.", ({ inodesFree }) => inodesFree),
  ofDevices("container_fs_reads_bytes_total", "Bytes read.", ({ readBytes }) => readBytes),
  ofDevices("container_fs_reads_total", "Reads.", ({ reads }) => reads),
  ofDevices("container_fs_writes_bytes_total", "Bytes written.", ({ writtenBytes }) => writtenBytes),
  ofDevices("container_fs_writes_total", "Writes.", ({ writes }) => writes),
  {
    name: "container_blkio_device_usage_total",
    help: "Bytes of a block device, by operation.",
    kind: "counter",
    labels: ["device", "major", "minor", "operation"],
    read: ({ usage }) =>
      (usage.details?.devices ?? []).flatMap(({ device, major, minor, counters }) => [
        ...sample(counters?.readBytes, device, String(major), String(minor), "Read"),
        ...sample(counters?.writtenBytes, device, String(major), String(minor), "Write"),
      ]),
  },
];
