import type { InterfaceUsage } from "../../generated/berth/native/helper.ts";
import { type Metric, sample } from "./metric.ts";

const ofInterfaces = (name: string, help: string, read: (seen: InterfaceUsage) => bigint): Metric => ({
  name: `container_network_${name}_total`,
  help,
  kind: "counter",
  labels: ["interface"],
  read: ({ usage }) => (usage.details?.interfaces ?? []).flatMap((seen) => sample(read(seen), seen.name)),
});

/** Of pods: all containers of one share its network. */
export const NETWORK_METRICS: readonly Metric[] = [
  ofInterfaces("receive_bytes", "Bytes received.", ({ rxBytes }) => rxBytes),
  ofInterfaces("receive_errors", "Errors while receiving.", ({ rxErrors }) => rxErrors),
  ofInterfaces("receive_packets", "Packets received.", ({ rxPackets }) => rxPackets),
  ofInterfaces("receive_packets_dropped", "Packets dropped while receiving.", ({ rxDropped }) => rxDropped),
  ofInterfaces("transmit_bytes", "Bytes sent.", ({ txBytes }) => txBytes),
  ofInterfaces("transmit_errors", "Errors while sending.", ({ txErrors }) => txErrors),
  ofInterfaces("transmit_packets", "Packets sent.", ({ txPackets }) => txPackets),
  ofInterfaces("transmit_packets_dropped", "Packets dropped while sending.", ({ txDropped }) => txDropped),
];
