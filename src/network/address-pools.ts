// The pools of a network, one of each family: a pod has an address of each, or none.
import { AddressPool } from "./ipam.ts";
import { addressesOf, type EndpointAddress, type EndpointRecord } from "./records.ts";
import { familyOf, type Subnet } from "./subnet.ts";

export class AddressPools {
  readonly #pools: readonly AddressPool[];

  constructor(subnets: readonly Subnet[], endpoints: readonly EndpointRecord[]) {
    const held = endpoints.flatMap(addressesOf).map(({ address }) => address);
    this.#pools = subnets.map(
      (subnet) =>
        new AddressPool(
          subnet,
          held.filter((address) => familyOf(address) === subnet.family),
        ),
    );
  }

  /** In the order of the subnets. */
  get all(): readonly AddressPool[] {
    return this.#pools;
  }

  /** The bridge's own addresses with their prefix lengths, "10.88.0.1/16". */
  get gatewayPrefixes(): string[] {
    return this.#pools.map(({ gateway, subnet }) => `${gateway}/${subnet.prefixLength}`);
  }

  /** @throws AgentError resource-exhausted when the pool of a family is empty; then nothing is held */
  take(): EndpointAddress[] {
    const taken: EndpointAddress[] = [];
    try {
      for (const pool of this.#pools) taken.push({ address: pool.take(), prefixLength: pool.subnet.prefixLength, gateway: pool.gateway });
    } catch (failure) {
      this.giveBack(taken);
      throw failure;
    }
    return taken;
  }

  giveBack(addresses: readonly EndpointAddress[]): void {
    for (const { address } of addresses) this.#pools.find(({ subnet }) => subnet.family === familyOf(address))?.giveBack(address);
  }

  /** Whether a pod that has the address can go on with it. */
  includes({ address, prefixLength, gateway }: EndpointAddress): boolean {
    const pool = this.#pools.find(({ subnet }) => subnet.family === familyOf(address));
    return pool !== undefined && pool.subnet.prefixLength === prefixLength && pool.gateway === gateway;
  }
}
