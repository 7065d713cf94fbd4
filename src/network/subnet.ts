// Subnets of both families as numbers. Pure.
import ipaddr from "ipaddr.js";
import { AgentError, messageOf } from "../base/errors.ts";

export type Family = 4 | 6;

export interface Subnet {
  readonly text: string; // "10.88.0.0/16", "fd00:88::/64"
  readonly family: Family;
  readonly prefixLength: number;
  readonly first: bigint; // the network's own address
  /** the last that a pod may have: of IPv4 the one before the broadcast address */
  readonly lastHost: bigint;
}

// Room for a gateway and a pod at least. A /64 is what links of IPv6 have; nothing but more of them is in a /48.
const PREFIXES = { 4: { shortest: 8, longest: 30, bits: 32n }, 6: { shortest: 48, longest: 126, bits: 128n } } as const;

/**
 * One subnet, or two of different families with a comma between them. Addresses of the first are what a pod is known by.
 *
 * @throws AgentError invalid-argument
 */
export function parseSubnets(text: string): [Subnet, ...Subnet[]] {
  const [first, second, ...more] = text.split(",").map((part) => parseSubnet(part.trim()));
  if (first === undefined || more.length > 0 || first.family === second?.family)
    throw new AgentError("invalid-argument", `read subnets ${text}: they are neither one nor one of each family`);
  return second === undefined ? [first] : [first, second];
}

/** @throws AgentError invalid-argument for anything but a subnet of 8 to 30 bits, or of 48 to 126 in IPv6, with no host bits set */
export function parseSubnet(text: string): Subnet {
  let address: ipaddr.IPv4 | ipaddr.IPv6;
  let prefixLength: number;
  try {
    [address, prefixLength] = ipaddr.parseCIDR(text);
  } catch (cause) {
    throw new AgentError("invalid-argument", `read subnet ${JSON.stringify(text)}: ${messageOf(cause)}`, { cause });
  }
  const family = familyOf(address.toString());
  const { shortest, longest, bits } = PREFIXES[family];
  if (prefixLength < shortest || prefixLength > longest)
    throw new AgentError("invalid-argument", `read subnet ${text}: prefix length is not within ${shortest} to ${longest}`);
  const size = 1n << (bits - BigInt(prefixLength));
  const first = asNumber(address);
  if (first % size !== 0n) throw new AgentError("invalid-argument", `read subnet ${text}: host bits are set`);
  const lastHost = first + size - (family === 4 ? 2n : 1n);
  return { text: `${formatAddress(first, family)}/${prefixLength}`, family, prefixLength, first, lastHost };
}

export const familyOf = (address: string): Family => (address.includes(":") ? 6 : 4);

export function formatAddress(value: bigint, family: Family): string {
  const { bits } = PREFIXES[family];
  const bytes = Array.from({ length: Number(bits / 8n) }, (_, index) => Number((value >> (bits - 8n * BigInt(index + 1))) & 255n));
  const address = ipaddr.fromByteArray(bytes);
  return address instanceof ipaddr.IPv6 ? address.toRFC5952String() : address.toString();
}

export const parseAddress = (text: string): bigint => asNumber(ipaddr.parse(text));

function asNumber(address: ipaddr.IPv4 | ipaddr.IPv6): bigint {
  return address.toByteArray().reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
}
