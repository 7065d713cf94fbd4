// IPv4 subnets as numbers. Pure.
import ipaddr from "ipaddr.js";
import { AgentError, messageOf } from "../base/errors.ts";

export interface Subnet {
  readonly text: string; // "10.88.0.0/16"
  readonly prefixLength: number;
  readonly first: number; // the network's own address
  readonly last: number; // its broadcast address
}

// Room for a gateway and a pod at least, and not more than a /8.
const LONGEST_PREFIX = 30;
const SHORTEST_PREFIX = 8;

/** @throws AgentError invalid-argument for anything but an IPv4 subnet of 8 to 30 bits with no host bits set */
export function parseSubnet(text: string): Subnet {
  let address: ipaddr.IPv4;
  let prefixLength: number;
  try {
    [address, prefixLength] = ipaddr.IPv4.parseCIDR(text);
  } catch (cause) {
    throw new AgentError("invalid-argument", `read subnet ${JSON.stringify(text)}: ${messageOf(cause)}`, { cause });
  }
  if (prefixLength < SHORTEST_PREFIX || prefixLength > LONGEST_PREFIX) {
    throw new AgentError("invalid-argument", `read subnet ${text}: prefix length is not within ${SHORTEST_PREFIX} to ${LONGEST_PREFIX}`);
  }
  const size = 2 ** (32 - prefixLength);
  const first = asNumber(address);
  if (first % size !== 0) throw new AgentError("invalid-argument", `read subnet ${text}: host bits are set`);
  return { text, prefixLength, first, last: first + size - 1 };
}

export function formatAddress(value: number): string {
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255].join(".");
}

export function parseAddress(text: string): number {
  return asNumber(ipaddr.IPv4.parse(text));
}

function asNumber(address: ipaddr.IPv4): number {
  return address.toByteArray().reduce((sum, byte) => sum * 256 + byte, 0);
}
