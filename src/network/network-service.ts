// Networks, endpoints and their addresses. Invariants: a record stands before its kernel object is made and until after it
// is gone; an address belongs to at most one endpoint.
import { readFile } from "node:fs/promises";
import { AgentError, during, messageOf } from "../base/errors.ts";
import { CallsInFlight } from "../base/join-calls.ts";
import type { Log } from "../base/log.ts";
import type { Endpoint, HostPort } from "../generated/berth/native/helper.ts";
import type { Helper } from "../native-client/helper.ts";
import type { Collection } from "../store/collection.ts";
import type { Change } from "../store/change.ts";
import type { Store } from "../store/store.ts";
import { type HostPortMapping, HostPorts, toHelper } from "./host-ports.ts";
import { AddressPool } from "./ipam.ts";
import type { EndpointRecord, NetworkRecord } from "./records.ts";
import { parseSubnet, type Subnet } from "./subnet.ts";

export interface NetworkOptions {
  readonly store: Store;
  readonly helper: Helper;
  readonly log: Log;
  readonly instanceId: string;
  readonly bridge: string;
  readonly podSubnet: string;
  readonly mtu: number; // 0: the kernel's
}

export interface EndpointPlan {
  readonly record: EndpointRecord;
  readonly change: Change;
  readonly endpoint: Endpoint;
  readonly hostPorts: HostPort[];
}

const DEFAULT_NETWORK = "default";
const CONTAINER_INTERFACE = "eth0";
const IP_FORWARD = "/proc/sys/net/ipv4/ip_forward";

export class NetworkService {
  readonly #options: NetworkOptions;
  readonly #networks: Collection<NetworkRecord>;
  readonly #endpoints: Collection<EndpointRecord>;
  readonly #subnet: Subnet;
  readonly #pool: AddressPool;
  readonly #hostPorts = new HostPorts();
  readonly #ensuring = new CallsInFlight<void>();
  /** Settles when the table is as it was last told to be. */
  #making = Promise.resolve();
  /** Pods whose endpoint is being taken away: a table that is made meanwhile is without their ports. */
  readonly #leaving = new Set<string>();
  #ready = false;
  #warnings: readonly string[] = [];
  #problem = "the pod network has not been made yet";

  constructor(options: NetworkOptions) {
    this.#options = options;
    this.#networks = options.store.collection<NetworkRecord>("network");
    this.#endpoints = options.store.collection<EndpointRecord>("endpoint");
    this.#subnet = parseSubnet(options.podSubnet);
    const network = this.#networks.get(DEFAULT_NETWORK);
    if (network !== undefined && network.subnet !== this.#subnet.text && this.#endpoints.size > 0) {
      throw new AgentError(
        "failed-precondition",
        `open network ${DEFAULT_NETWORK}: ${this.#endpoints.size} pods still have addresses of ${network.subnet}, so pod-subnet can't become ${this.#subnet.text}`,
      );
    }
    this.#pool = new AddressPool(
      this.#subnet,
      [...this.#endpoints.values()].map((endpoint) => endpoint.address),
    );
    for (const { id, hostPorts } of this.#endpoints.values()) this.#hostPorts.hold(id, hostPorts ?? []);
  }

  /** What other tables have that may drop what we forward, as it was when the network was last made. */
  get warnings(): readonly string[] {
    return this.#warnings;
  }

  /** Of all pods that have an address. */
  endpoints(): IterableIterator<EndpointRecord> {
    return this.#endpoints.values();
  }

  /** The beginning of the aliases of our links: it says on the node whose they are. */
  get linkAlias(): string {
    return `berth:${this.#options.instanceId}:`;
  }

  /** Why pods can't have a network now; undefined when they can. */
  get problem(): string | undefined {
    return this.#ready ? undefined : this.#problem;
  }

  /** Makes the network again, whatever is left of it. */
  async mend(): Promise<void> {
    this.#ready = false;
    await this.ensure();
  }

  /** Our table of nftables, and the only one that is written. */
  get nftTable(): string {
    return `berth_${this.#options.instanceId}`;
  }

  endpoint(sandboxId: string): EndpointRecord | undefined {
    return this.#endpoints.get(sandboxId);
  }

  /** Makes the bridge network unless it is there; calls at the same time share one attempt. */
  async ensure(): Promise<void> {
    if (this.#ready) return;
    await this.#ensuring.join(DEFAULT_NETWORK, () => {
      const made = this.#make();
      this.#making = made.catch(() => {});
      return made;
    });
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
    const record: EndpointRecord = {
      id: sandboxId,
      network: DEFAULT_NETWORK,
      hostInterface: `veth${sandboxId.slice(0, 11)}`, // 15 bytes, the most that an interface name may have
      address: this.#pool.take(),
      prefixLength: this.#subnet.prefixLength,
      gateway: this.#pool.gateway,
      hostPorts,
    };
    const endpoint: Endpoint = {
      hostInterface: record.hostInterface,
      containerInterface: CONTAINER_INTERFACE,
      bridge: this.#options.bridge,
      addressPrefix: `${record.address}/${record.prefixLength}`,
      gateway: record.gateway,
      mtu: this.#options.mtu,
      alias: `${this.linkAlias}${sandboxId}`,
    };
    return { record, change: this.#endpoints.put(record), endpoint, hostPorts: toHelper(hostPorts, record.address) };
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
        await this.#making;
        await this.#options.helper.detachEndpoint({
          hostInterface: record.hostInterface,
          nftTable: this.nftTable,
          hostPorts: toHelper(record.hostPorts ?? [], record.address),
        });
        await this.#options.store.commit(this.#endpoints.delete(sandboxId, () => this.#giveBack(record)));
      } finally {
        this.#leaving.delete(sandboxId);
      }
    });
  }

  #giveBack(record: EndpointRecord): void {
    this.#pool.giveBack(record.address);
    this.#hostPorts.giveBack(record.id, record.hostPorts ?? []);
  }

  /** Takes the network away when no pod is on it, and puts ip_forward back. */
  async removeUnused(): Promise<void> {
    const record = this.#networks.get(DEFAULT_NETWORK);
    if (record === undefined || this.#endpoints.size > 0) return;
    this.#ready = false;
    await during(`remove network ${record.id}`, async () => {
      await this.#options.helper.removeNetwork({ bridge: record.bridge, nftTable: record.nftTable, ipForward: record.ipForwardBefore });
      await this.#options.store.commit(this.#networks.delete(record.id));
    });
  }

  async #make(): Promise<void> {
    const { bridge, helper, log, mtu, store } = this.#options;
    const { nftTable } = this;
    try {
      const before = this.#networks.get(DEFAULT_NETWORK);
      const ipForwardBefore = before?.ipForwardBefore ?? (await readFile(IP_FORWARD, "utf8")).trim() === "1";
      const record: NetworkRecord = { id: DEFAULT_NETWORK, bridge, subnet: this.#subnet.text, nftTable, ipForwardBefore };
      await store.commit(this.#networks.put(record));
      const gatewayPrefix = `${this.#pool.gateway}/${this.#subnet.prefixLength}`;
      const there = [...this.#endpoints.values()].filter(({ id }) => !this.#leaving.has(id));
      const hostPorts = there.flatMap((endpoint) => toHelper(endpoint.hostPorts ?? [], endpoint.address));
      const shared = { bridge, gatewayPrefix, nftTable, mtu, hostPorts };
      const { warnings } = await helper.ensureNetwork({ ...shared, masquerade: true, enableIpForward: true });
      this.#warnings = warnings;
      for (const warning of warnings) log.warn({ bridge }, warning);
      this.#ready = true;
    } catch (failure) {
      this.#problem = `make network ${DEFAULT_NETWORK} on bridge ${bridge}: ${messageOf(failure)}`;
      log.warn({ err: messageOf(failure), bridge }, "the pod network could not be made");
      throw new AgentError("unavailable", this.#problem, { cause: failure });
    }
  }
}
