// Which pod has which port of the node. A port is held from the moment it is asked for, before its record is durable, so that none
// is handed out twice.
import { AgentError } from "../base/errors.ts";
import { type HostPort, PortProtocol } from "../generated/berth/native/helper.ts";
import { type Family, familyOf } from "./subnet.ts";

export type HostProtocol = "tcp" | "udp" | "sctp";

/** A port of the node that leads to one of a pod. */
export interface HostPortMapping {
  readonly protocol: HostProtocol;
  /** "" is every address of the node, "0.0.0.0" and "::" those of one family; with 127.0.0.1 and ::1 and no other loopback ones */
  readonly hostIp: string;
  readonly hostPort: number;
  readonly podPort: number;
}

const PROTOCOL: Readonly<Record<HostProtocol, PortProtocol>> = {
  tcp: PortProtocol.PORT_PROTOCOL_TCP,
  udp: PortProtocol.PORT_PROTOCOL_UDP,
  sctp: PortProtocol.PORT_PROTOCOL_SCTP,
};

/** A port of each family that the pod has an address of, and that the mapping is for. */
export const toHelper = (mappings: readonly HostPortMapping[], podAddresses: readonly string[]): HostPort[] =>
  mappings.flatMap(({ protocol, hostIp, hostPort, podPort }) =>
    podAddresses
      .filter((podAddress) => hostIp === "" || familyOf(hostIp) === familyOf(podAddress))
      .map((podAddress) => {
        return { protocol: PROTOCOL[protocol], hostIp: hostIp || EVERY[familyOf(podAddress)], hostPort, podAddress, podPort };
      }),
  );

const EVERY: Readonly<Record<Family, string>> = { 4: "0.0.0.0", 6: "::" };

export function portText({ protocol, hostIp, hostPort }: HostPortMapping): string {
  const address = hostIp.includes(":") ? `[${hostIp}]` : hostIp || "*";
  return `${protocol} ${address}:${hostPort}`;
}

interface Held {
  readonly sandboxId: string;
  readonly hostIp: string;
}

export class HostPorts {
  readonly #held = new Map<string, Held[]>();

  /** @throws AgentError already-exists, naming the pod that has it; then nothing is held */
  take(sandboxId: string, mappings: readonly HostPortMapping[], podName: (sandboxId: string) => string): void {
    for (const mapping of mappings) {
      const other = this.#find(mapping);
      if (other !== undefined)
        throw new AgentError("already-exists", `take host port ${portText(mapping)}: pod ${podName(other.sandboxId)} has it`);
    }
    this.hold(sandboxId, mappings);
  }

  /** Of pods on record, and checked before. */
  hold(sandboxId: string, mappings: readonly HostPortMapping[]): void {
    for (const mapping of mappings) {
      const key = keyOf(mapping);
      this.#held.set(key, [...(this.#held.get(key) ?? []), { sandboxId, hostIp: mapping.hostIp }]);
    }
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
}

const keyOf = ({ protocol, hostPort }: HostPortMapping): string => `${protocol}/${hostPort}`;

/** Every address of the node is also each one of them. */
const overlap = (one: string, other: string): boolean => one === other || holds(one, other) || holds(other, one);

const holds = (every: string, one: string): boolean => every === "" || (one !== "" && every === EVERY[familyOf(one)]);

/** Whether one packet could be for both. */
export const collide = (one: HostPortMapping, other: HostPortMapping): boolean =>
  keyOf(one) === keyOf(other) && overlap(one.hostIp, other.hostIp);
