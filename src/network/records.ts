// What is kept on disk of networks and endpoints.
import type { HostPort } from "../generated/berth/native/helper.ts";
import { type HostPortMapping, toHelper } from "./host-ports.ts";
import type { SettingsBefore } from "./kernel-settings.ts";

/** A bridge network of this node. Recorded before the bridge, the table and the kernel's settings are touched. */
export interface NetworkRecord {
  readonly id: string; // its name
  readonly bridge: string;
  /** "10.88.0.0/16", or two with a comma between them */
  readonly subnet: string;
  readonly nftTable: string;
  /** The kernel's settings as they were before us; put back when the network goes. */
  readonly settingsBefore?: SettingsBefore;
  /** of older versions: net.ipv4.ip_forward */
  readonly ipForwardBefore?: boolean;
  /** kernel boot that the settings are of; older versions have none */
  readonly bootId?: string;
}

export interface EndpointAddress {
  readonly address: string;
  readonly prefixLength: number;
  readonly gateway: string;
}

/** A pod's end on a network. While the record is there, its addresses belong to the pod. */
export interface EndpointRecord extends EndpointAddress {
  readonly id: string; // the sandbox's id
  readonly network: string;
  readonly hostInterface: string;
  /** of the other family, where the network has two */
  readonly additional?: readonly EndpointAddress[];
  /** records of older versions have none */
  readonly hostPorts?: readonly HostPortMapping[];
}

/** The first is what the pod is known by. */
export const addressesOf = ({ address, prefixLength, gateway, additional = [] }: EndpointRecord): EndpointAddress[] => [
  { address, prefixLength, gateway },
  ...additional,
];

/** A port for each family that it is of. */
export const portsOf = (endpoint: EndpointRecord): HostPort[] =>
  toHelper(
    endpoint.hostPorts ?? [],
    addressesOf(endpoint).map(({ address }) => address),
  );
