// What is kept on disk of networks and endpoints.
import type { HostPortMapping } from "./host-ports.ts";

/** A bridge network of this node. Recorded before the bridge, the table and the sysctl are touched. */
export interface NetworkRecord {
  readonly id: string; // its name
  readonly bridge: string;
  readonly subnet: string;
  readonly nftTable: string;
  /** net.ipv4.ip_forward as it was before us; put back when the network goes. */
  readonly ipForwardBefore: boolean;
}

/** A pod's end on a network. While the record is there, its address belongs to the pod. */
export interface EndpointRecord {
  readonly id: string; // the sandbox's id
  readonly network: string;
  readonly hostInterface: string;
  readonly address: string;
  readonly prefixLength: number;
  readonly gateway: string;
  /** records of older versions have none */
  readonly hostPorts?: readonly HostPortMapping[];
}
