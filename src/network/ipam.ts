// One pool of IPv4 addresses. What is handed out is the set of endpoint records; this is their index. An address is
// held from the moment it is taken, before its record is durable, so that none is handed out twice.
import { AgentError } from "../base/errors.ts";
import { formatAddress, parseAddress, type Subnet } from "./subnet.ts";

export class AddressPool {
  readonly #subnet: Subnet;
  readonly #held = new Set<number>();
  // Goes round, so that an address rests as long as possible before it is used again: peers keep stale ARP entries.
  #next: number;

  constructor(subnet: Subnet, held: Iterable<string>) {
    this.#subnet = subnet;
    this.#next = this.#firstHost;
    for (const address of held) {
      const value = parseAddress(address);
      this.#held.add(value);
      if (value >= this.#next) this.#next = this.#after(value);
    }
  }

  /** The bridge's own address, the first of the subnet. */
  get gateway(): string {
    return formatAddress(this.#subnet.first + 1);
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
        return formatAddress(value);
      }
    } while (candidate !== start);
    throw new AgentError("resource-exhausted", `take address: all ${this.#held.size} addresses of ${this.#subnet.text} are in use`);
  }

  /** Giving back what is not held does nothing. */
  giveBack(address: string): void {
    this.#held.delete(parseAddress(address));
  }

  get #firstHost(): number {
    return this.#subnet.first + 2;
  }

  #after(value: number): number {
    return value + 1 >= this.#subnet.last ? this.#firstHost : value + 1;
  }
}
