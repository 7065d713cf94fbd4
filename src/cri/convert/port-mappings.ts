// PortMapping → domain: the ports of the node that a pod asks for.
import { isIP } from "node:net";
import ipaddr from "ipaddr.js";
import { AgentError } from "../../base/errors.ts";
import { type PortMapping, Protocol } from "../../generated/cri/runtime/v1/api.ts";
import { collide, type HostPortMapping, type HostProtocol, portText } from "../../network/host-ports.ts";
import type { NetworkMode } from "../../sandbox/records.ts";

const PROTOCOLS: ReadonlyMap<number, HostProtocol> = new Map([
  [Protocol.TCP, "tcp"],
  [Protocol.UDP, "udp"],
  [Protocol.SCTP, "sctp"],
]);
const MAX_PORT = 65_535;

/** On the node's own network a pod listens on the node's ports by itself; a host port of 0 is none. */
export function toHostPorts(mappings: readonly PortMapping[], network: NetworkMode): HostPortMapping[] {
  const wanted = mappings.filter(({ hostPort }) => hostPort !== 0);
  if (wanted.length === 0 || network === "host") return [];
  if (network === "closed") throw invalid("port_mappings: a pod without a network can have no host port");
  return withoutTwins(wanted.map(toHostPort));
}

/** What is asked for twice is had once; two of which one packet could be for both can't be had. */
function withoutTwins(ports: readonly HostPortMapping[]): HostPortMapping[] {
  const distinct: HostPortMapping[] = [];
  for (const port of ports) {
    const other = distinct.find((each) => collide(each, port));
    if (other === undefined) distinct.push(port);
    else if (other.hostIp !== port.hostIp || other.podPort !== port.podPort)
      throw invalid(`port_mappings: ${portText(port)} and ${portText(other)} are the same port, for ${port.podPort} and ${other.podPort}`);
  }
  return distinct;
}

const invalid = (message: string): AgentError => new AgentError("invalid-argument", `read pod sandbox config: ${message}`);

function toHostPort(mapping: PortMapping): HostPortMapping {
  const { hostIp, hostPort, containerPort } = mapping;
  const protocol = PROTOCOLS.get(mapping.protocol);
  if (protocol === undefined) throw invalid(`port_mappings: protocol ${mapping.protocol} is not TCP, UDP or SCTP`);
  for (const port of [hostPort, containerPort]) {
    if (port < 1 || port > MAX_PORT) throw invalid(`port_mappings: ${port} is not within 1 to ${MAX_PORT}`);
  }
  return { protocol, hostIp: toHostIp(hostIp), hostPort, podPort: containerPort };
}

/** In one spelling, so that addresses can be compared. */
function toHostIp(text: string): string {
  const refused = invalid(`port_mappings: host_ip ${JSON.stringify(text.slice(0, 64))} is no address`);
  if (text === "") return "";
  // A zone belongs to a link, and a port to no link.
  if (isIP(text) === 0 || text.includes("%")) throw refused;
  // An address of IPv4 in the form of IPv6 is the one of IPv4.
  const address = ipaddr.process(text);
  return address instanceof ipaddr.IPv6 ? address.toRFC5952String() : address.toString();
}
