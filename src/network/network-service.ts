// The network of pods: endpoints with their addresses and host ports. Invariants: a record stands before its kernel object is made
// and until after it is gone; an address belongs to at most one endpoint.
import { AgentError, during } from "../base/errors.ts";
import type { Endpoint, HostPort, NetworkDifference } from "../generated/berth/native/helper.ts";
import type { Collection } from "../store/collection.ts";
import type { Change } from "../store/change.ts";
import { AddressPools } from "./address-pools.ts";
import { BridgeNetwork, type BridgeOptions, DEFAULT_NETWORK } from "./bridge-network.ts";
import { type HostPortMapping, HostPorts, portText } from "./host-ports.ts";
import { addressesOf, type EndpointRecord, portsOf } from "./records.ts";
import { familyOf, parseSubnets, type Subnet } from "./subnet.ts";

export interface NetworkOptions extends BridgeOptions {
  /** a subnet, or one of each family with a comma between them */
  readonly podSubnet: string;
}

export interface EndpointPlan {
  readonly record: EndpointRecord;
  readonly change: Change;
  readonly endpoint: Endpoint;
  readonly hostPorts: HostPort[];
}

export interface NetworkDescription {
  readonly bridge: string;
  readonly nftTable: string;
  readonly mtu: number;
  readonly subnets: readonly { readonly subnet: string; readonly gateway: string; readonly used: number; readonly free: bigint }[];
}

const CONTAINER_INTERFACE = "eth0";
// Ethernet's, and the helper's for 0.
const DEFAULT_MTU = 1500;
// RFC 8200, section 5: a link that carries less carries no IPv6.
const LEAST_IPV6_MTU = 1280;

export class NetworkService {
  readonly #options: NetworkOptions;
  readonly #endpoints: Collection<EndpointRecord>;
  readonly #subnets: readonly Subnet[];
  readonly #pools: AddressPools;
  readonly #hostPorts = new HostPorts();
  /** Pods whose endpoint is being taken away: a table that is made meanwhile is without their ports. */
  readonly #leaving = new Set<string>();
  readonly #bridge: BridgeNetwork;

  constructor(options: NetworkOptions) {
    this.#options = options;
    this.#endpoints = options.store.collection<EndpointRecord>("endpoint");
    this.#subnets = parseSubnets(options.podSubnet);
    if (options.mtu !== 0 && options.mtu < LEAST_IPV6_MTU && this.#subnets.some(({ family }) => family === 6))
      throw new AgentError(
        "invalid-argument",
        `open network: an MTU of ${options.mtu} is too little for IPv6, which takes ${LEAST_IPV6_MTU}`,
      );
    const endpoints = [...this.#endpoints.values()];
    this.#pools = new AddressPools(this.#subnets, endpoints);
    this.#bridge = new BridgeNetwork(options, {
      subnets: this.#subnets,
      gatewayPrefixes: this.#pools.gatewayPrefixes,
      endpoints: () => [...this.#endpoints.values()],
      staying: () => [...this.#endpoints.values()].filter(({ id }) => !this.#leaving.has(id)),
    });
    this.#checkChange(endpoints);
    for (const { id, hostPorts } of endpoints) this.#hostPorts.hold(id, hostPorts ?? []);
  }

  /** What others on the node have that may be in the way, as it was when the network was last made. */
  get warnings(): readonly string[] {
    return this.#bridge.warnings;
  }

  /** What it is made of, as the settings have it. */
  describe(): NetworkDescription {
    const { bridge, mtu } = this.#options;
    const subnets = this.#pools.all.map(({ subnet, gateway, used, size }) => ({
      subnet: subnet.text,
      gateway,
      used,
      free: size - BigInt(used),
    }));
    return { bridge, nftTable: this.nftTable, mtu: mtu === 0 ? DEFAULT_MTU : mtu, subnets };
  }

  /** Of all pods that have an address. */
  endpoints(): IterableIterator<EndpointRecord> {
    return this.#endpoints.values();
  }

  /** The beginning of the aliases of our links: it says on the node whose they are. */
  get linkAlias(): string {
    return `berth:${this.#options.instanceId}:`;
  }

  /** Pods keep their addresses, and the bridge that they are on. */
  #checkChange(endpoints: readonly EndpointRecord[]): void {
    const before = this.#bridge.record;
    if (before === undefined) return;
    const refused = (why: string): AgentError => new AgentError("failed-precondition", `open network ${DEFAULT_NETWORK}: ${why}`);
    const strangers = endpoints.filter((endpoint) => !addressesOf(endpoint).every((address) => this.#pools.includes(address)));
    if (strangers.length > 0)
      throw refused(
        `${strangers.length} pods still have addresses of ${before.subnet}, so pod-subnet can't become ${this.#bridge.subnetText}`,
      );
    if (endpoints.length > 0 && before.bridge !== this.#options.bridge)
      throw refused(`${endpoints.length} pods are still on bridge ${before.bridge}, so it can't become ${this.#options.bridge}`);
  }

  /** Why pods can't have a network now; undefined when they can. */
  get problem(): string | undefined {
    return this.#bridge.problem;
  }

  /** What of the network in the kernel is not as it was made, for people; nothing while it could not be made at all. `mend` mends it. */
  differences(): Promise<readonly NetworkDifference[]> {
    return this.#bridge.differences();
  }

  /** Makes the network again, whatever is left of it, and puts the pods on it that are not. */
  async mend(): Promise<void> {
    await this.#bridge.mend();
  }

  /** Our table of nftables, and the only one that is written. */
  get nftTable(): string {
    return this.#bridge.nftTable;
  }

  endpoint(sandboxId: string): EndpointRecord | undefined {
    return this.#endpoints.get(sandboxId);
  }

  /** Makes the bridge network unless it is there; calls at the same time share one attempt. */
  async ensure(): Promise<void> {
    await this.#bridge.ensure();
  }

  /**
   * Takes an address and the host ports for a pod: the record to commit before the pod is made, and what the helper needs to make it.
   *
   * @param podName for messages: what people call a pod that has a port
   * @throws AgentError already-exists when another pod has one of the ports, resource-exhausted when no address is left
   */
  plan(sandboxId: string, hostPorts: readonly HostPortMapping[], podName: (sandboxId: string) => string): EndpointPlan {
    this.#hostPorts.take(sandboxId, hostPorts, podName);
    try {
      return this.#plan(sandboxId, hostPorts);
    } catch (failure) {
      this.#hostPorts.giveBack(sandboxId, hostPorts);
      throw failure;
    }
  }

  #plan(sandboxId: string, hostPorts: readonly HostPortMapping[]): EndpointPlan {
    const families = this.#subnets.map(({ family }) => family);
    const foreign = hostPorts.find(({ hostIp }) => hostIp !== "" && !families.includes(familyOf(hostIp)));
    if (foreign !== undefined)
      throw new AgentError(
        "failed-precondition",
        `take host port ${portText(foreign)}: pods have addresses of ${this.#bridge.subnetText} only`,
      );
    const addresses = this.#pools.take();
    const [first, ...additional] = addresses;
    if (first === undefined) throw new AgentError("internal", "take address: the network has no subnet");
    const record: EndpointRecord = {
      id: sandboxId,
      network: DEFAULT_NETWORK,
      hostInterface: `veth${sandboxId.slice(0, 11)}`, // 15 bytes, the most that an interface name may have
      ...first,
      additional,
      hostPorts,
    };
    const endpoint: Endpoint = {
      hostInterface: record.hostInterface,
      containerInterface: CONTAINER_INTERFACE,
      bridge: this.#options.bridge,
      addresses: addresses.map(({ address, prefixLength, gateway }) => ({ addressPrefix: `${address}/${prefixLength}`, gateway })),
      mtu: this.#options.mtu,
      alias: `${this.linkAlias}${sandboxId}`,
    };
    return { record, change: this.#endpoints.put(record), endpoint, hostPorts: portsOf(record) };
  }

  /** Gives back the address of a plan whose record was never committed. */
  abandon(record: EndpointRecord): void {
    if (this.#endpoints.get(record.id) === undefined) this.#giveBack(record);
  }

  /** Takes the endpoint away and frees its address; a pod without one is fine. */
  async release(sandboxId: string): Promise<void> {
    const record = this.#endpoints.get(sandboxId);
    if (record === undefined) return;
    await during(`release endpoint ${record.hostInterface} of pod ${sandboxId}`, async () => {
      this.#leaving.add(sandboxId);
      try {
        await this.#bridge.settled();
        await this.#options.helper.detachEndpoint({
          hostInterface: record.hostInterface,
          nftTable: this.nftTable,
          hostPorts: portsOf(record),
        });
        // Who takes the pod down records that next, which takes this along; after a power cut in between the address is given back again.
        await this.#options.store.commitAhead(this.#endpoints.delete(sandboxId, () => this.#giveBack(record)));
      } finally {
        this.#leaving.delete(sandboxId);
      }
    });
  }

  #giveBack(record: EndpointRecord): void {
    this.#pools.giveBack(addressesOf(record));
    this.#hostPorts.giveBack(record.id, record.hostPorts ?? []);
  }

  /** Takes the network away when no pod is on it, and puts the kernel's settings back. */
  async removeUnused(): Promise<void> {
    await this.#bridge.removeUnused();
  }
}
