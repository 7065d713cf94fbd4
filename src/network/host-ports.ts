// Which pod has which port of the node. A port is held from the moment it is asked for, before its record is durable, so that none
// is handed out twice.
import { AgentError } from "../base/errors.ts";
import { type HostPort, PortProtocol } from "../generated/berth/native/helper.ts";

export type HostProtocol = "tcp" | "udp" | "sctp";

/** A port of the node that leads to one of a pod. */
export interface HostPortMapping {
  readonly protocol: HostProtocol;
  /** IPv4; "" is every address of the node, with 127.0.0.1 and none of the other loopback ones */
  readonly hostIp: string;
  readonly hostPort: number;
  readonly podPort: number;
}

const PROTOCOL: Readonly<Record<HostProtocol, PortProtocol>> = {
  tcp: PortProtocol.PORT_PROTOCOL_TCP,
  udp: PortProtocol.PORT_PROTOCOL_UDP,
  sctp: PortProtocol.PORT_PROTOCOL_SCTP,
};

export const toHelper = (mappings: readonly HostPortMapping[], podAddress: string): HostPort[] =>
  mappings.map(({ protocol, hostIp, hostPort, podPort }) => ({ protocol: PROTOCOL[protocol], hostIp, hostPort, podAddress, podPort }));

const portText = ({ protocol, hostIp, hostPort }: HostPortMapping): string => `${protocol} ${hostIp || "*"}:${hostPort}`;

interface Held {
  readonly sandboxId: string;
  readonly hostIp: string;
}

export class HostPorts {
  readonly #held = new Map<string, Held[]>();

  /** @throws AgentError already-exists, naming the pod that has it; then nothing is held */
  take(sandboxId: string, mappings: readonly HostPortMapping[]): void {
    const wanted = new HostPorts();
    for (const mapping of mappings) {
      const other = this.#find(mapping) ?? wanted.#find(mapping);
      if (other !== undefined) {
        const whose = other.sandboxId === sandboxId ? "it is asked for twice" : `pod ${other.sandboxId} has it`;
        throw new AgentError("already-exists", `take host port ${portText(mapping)}: ${whose}`);
      }
      wanted.#add(sandboxId, mapping);
    }
    for (const mapping of mappings) this.#add(sandboxId, mapping);
  }

  giveBack(sandboxId: string, mappings: readonly HostPortMapping[]): void {
    for (const mapping of mappings) {
      const key = keyOf(mapping);
      const left = (this.#held.get(key) ?? []).filter((held) => held.sandboxId !== sandboxId);
      if (left.length > 0) this.#held.set(key, left);
      else this.#held.delete(key);
    }
  }

  #find(mapping: HostPortMapping): Held | undefined {
    return this.#held.get(keyOf(mapping))?.find(({ hostIp }) => overlap(hostIp, mapping.hostIp));
  }

  #add(sandboxId: string, mapping: HostPortMapping): void {
    const key = keyOf(mapping);
    this.#held.set(key, [...(this.#held.get(key) ?? []), { sandboxId, hostIp: mapping.hostIp }]);
  }
}

const keyOf = ({ protocol, hostPort }: HostPortMapping): string => `${protocol}/${hostPort}`;

/** Every address of the node is also each one of them. */
const overlap = (one: string, other: string): boolean => one === other || one === "" || other === "";
