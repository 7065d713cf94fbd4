// One pool of addresses of one family. What is handed out is the set of endpoint records; this is their index. An address is
// held from the moment it is taken, before its record is durable, so that none is handed out twice.
import { AgentError } from "../base/errors.ts";
import { formatAddress, parseAddress, type Subnet } from "./subnet.ts";

export class AddressPool {
  readonly subnet: Subnet;
  readonly #held = new Set<bigint>();
  // Goes round, so that an address rests as long as possible before it is used again: peers keep stale ARP entries.
  #next: bigint;

  constructor(subnet: Subnet, held: Iterable<string>) {
    this.subnet = subnet;
    this.#next = this.#firstHost;
    for (const address of held) {
      const value = parseAddress(address);
      this.#held.add(value);
      if (value >= this.#next) this.#next = this.#after(value);
    }
  }

  /** The bridge's own address, the first of the subnet. */
  get gateway(): string {
    return formatAddress(this.subnet.first + 1n, this.subnet.family);
  }

  /** Addresses that pods have. */
  get used(): number {
    return this.#held.size;
  }

  /** Addresses that pods can have, with those that they have. */
  get size(): bigint {
    return this.subnet.lastHost - this.#firstHost + 1n;
  }

  /** @throws AgentError resource-exhausted when every address is held */
  take(): string {
    const start = this.#next;
    let candidate = start;
    do {
      const free = !this.#held.has(candidate);
      const value = candidate;
      candidate = this.#after(candidate);
      if (free) {
        this.#held.add(value);
        this.#next = candidate;
        return formatAddress(value, this.subnet.family);
      }
    } while (candidate !== start);
    throw new AgentError("resource-exhausted", `take address: all ${this.#held.size} addresses of ${this.subnet.text} are in use`);
  }

  /** Giving back what is not held does nothing. */
  giveBack(address: string): void {
    this.#held.delete(parseAddress(address));
  }

  get #firstHost(): bigint {
    return this.subnet.first + 2n;
  }

  #after(value: bigint): bigint {
    return value >= this.subnet.lastHost ? this.#firstHost : value + 1n;
  }
}
