// Networks, endpoints and their addresses. Invariants: a record stands before its kernel object is made and until after it
// is gone; an address belongs to at most one endpoint.
import { AgentError, during, kindOf, messageOf } from "../base/errors.ts";
import { CallsInFlight } from "../base/join-calls.ts";
import type { Log } from "../base/log.ts";
import type { Endpoint, EnsureNetwork, HostPort, NetworkDifference } from "../generated/berth/native/helper.ts";
import type { Helper } from "../native-client/helper.ts";
import type { Collection } from "../store/collection.ts";
import type { Change } from "../store/change.ts";
import type { Store } from "../store/store.ts";
import { AddressPools } from "./address-pools.ts";
import { type HostPortMapping, HostPorts, portText } from "./host-ports.ts";
import { IP_FORWARD, readSettings, type SettingsBefore, settingsToMake, settingsToRestore } from "./kernel-settings.ts";
import { addressesOf, type EndpointRecord, type NetworkRecord, portsOf } from "./records.ts";
import { familyOf, parseSubnets, type Subnet } from "./subnet.ts";

export interface NetworkOptions {
  readonly store: Store;
  readonly helper: Helper;
  readonly log: Log;
  readonly instanceId: string;
  readonly bridge: string;
  readonly bootId: string;
  /** a subnet, or one of each family with a comma between them */
  readonly podSubnet: string;
  readonly mtu: number; // 0: 1500
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

const DEFAULT_NETWORK = "default";
const CONTAINER_INTERFACE = "eth0";
// Ethernet's, and the helper's for 0.
const DEFAULT_MTU = 1500;
// RFC 8200, section 5: a link that carries less carries no IPv6.
const LEAST_IPV6_MTU = 1280;

export class NetworkService {
  readonly #options: NetworkOptions;
  readonly #networks: Collection<NetworkRecord>;
  readonly #endpoints: Collection<EndpointRecord>;
  readonly #subnets: readonly Subnet[];
  readonly #pools: AddressPools;
  readonly #hostPorts = new HostPorts();
  readonly #ensuring = new CallsInFlight<void>();
  /** Settles when the table is as it was last told to be. */
  #making = Promise.resolve();
  /** Pods whose endpoint is being taken away: a table that is made meanwhile is without their ports. */
  readonly #leaving = new Set<string>();
  #ready = false;
  #warnings: readonly string[] = [];
  #problem = "the pod network has not been made yet";
  #tableFingerprint = 0n;

  constructor(options: NetworkOptions) {
    this.#options = options;
    this.#networks = options.store.collection<NetworkRecord>("network");
    this.#endpoints = options.store.collection<EndpointRecord>("endpoint");
    this.#subnets = parseSubnets(options.podSubnet);
    if (options.mtu !== 0 && options.mtu < LEAST_IPV6_MTU && this.#subnets.some(({ family }) => family === 6))
      throw new AgentError(
        "invalid-argument",
        `open network: an MTU of ${options.mtu} is too little for IPv6, which takes ${LEAST_IPV6_MTU}`,
      );
    const endpoints = [...this.#endpoints.values()];
    this.#pools = new AddressPools(this.#subnets, endpoints);
    this.#checkChange(endpoints);
    for (const { id, hostPorts } of this.#endpoints.values()) this.#hostPorts.hold(id, hostPorts ?? []);
  }

  /** What others on the node have that may be in the way, as it was when the network was last made. */
  get warnings(): readonly string[] {
    return this.#warnings;
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
    const before = this.#networks.get(DEFAULT_NETWORK);
    if (before === undefined) return;
    const refused = (why: string): AgentError => new AgentError("failed-precondition", `open network ${DEFAULT_NETWORK}: ${why}`);
    const strangers = endpoints.filter((endpoint) => !addressesOf(endpoint).every((address) => this.#pools.includes(address)));
    if (strangers.length > 0)
      throw refused(`${strangers.length} pods still have addresses of ${before.subnet}, so pod-subnet can't become ${this.#subnetText}`);
    if (endpoints.length > 0 && before.bridge !== this.#options.bridge)
      throw refused(`${endpoints.length} pods are still on bridge ${before.bridge}, so it can't become ${this.#options.bridge}`);
  }

  get #subnetText(): string {
    return this.#subnets.map(({ text }) => text).join(",");
  }

  /** Why pods can't have a network now; undefined when they can. */
  get problem(): string | undefined {
    return this.#ready ? undefined : this.#problem;
  }

  /** What of the network in the kernel is not as it was made, for people; nothing while it could not be made at all. `mend` mends it. */
  async differences(): Promise<readonly NetworkDifference[]> {
    const record = this.#networks.get(DEFAULT_NETWORK);
    if (!this.#ready || record === undefined) return [];
    const wanted = this.#wanted(record);
    return (await this.#options.helper.checkNetwork({ wanted, tableFingerprint: this.#tableFingerprint })).differences;
  }

  /** Makes the network again, whatever is left of it, and puts the pods on it that are not. */
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
    const families = this.#subnets.map(({ family }) => family);
    const foreign = hostPorts.find(({ hostIp }) => hostIp !== "" && !families.includes(familyOf(hostIp)));
    if (foreign !== undefined)
      throw new AgentError("failed-precondition", `take host port ${portText(foreign)}: pods have addresses of ${this.#subnetText} only`);
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
        await this.#making;
        await this.#options.helper.detachEndpoint({
          hostInterface: record.hostInterface,
          nftTable: this.nftTable,
          hostPorts: portsOf(record),
        });
        await this.#options.store.commit(this.#endpoints.delete(sandboxId, () => this.#giveBack(record)));
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
    const record = this.#networks.get(DEFAULT_NETWORK);
    if (record === undefined || this.#endpoints.size > 0) return;
    this.#ready = false;
    await during(`remove network ${record.id}`, async () => {
      const { bridge, nftTable } = record;
      const settings = settingsToRestore(this.#recordedSettings(record));
      await this.#options.helper.removeNetwork({ bridge, nftTable, bridgeAlias: this.#bridgeAlias, settings });
      await this.#options.store.commit(this.#networks.delete(record.id));
    });
  }

  /** Says on the node whose the bridge is. */
  get #bridgeAlias(): string {
    return `berth:${this.#options.instanceId}`;
  }

  /** Those of an earlier boot went with it. */
  #recordedSettings({ settingsBefore, ipForwardBefore, bootId }: NetworkRecord): SettingsBefore {
    if (bootId !== undefined && bootId !== this.#options.bootId) return {};
    return settingsBefore ?? { [IP_FORWARD]: ipForwardBefore === true ? "1" : "0" };
  }

  #wanted(record: NetworkRecord): EnsureNetwork {
    const there = [...this.#endpoints.values()].filter(({ id }) => !this.#leaving.has(id));
    return {
      bridge: record.bridge,
      bridgeAlias: this.#bridgeAlias,
      gatewayPrefixes: this.#pools.gatewayPrefixes,
      nftTable: record.nftTable,
      masquerade: true,
      mtu: this.#options.mtu,
      hostPorts: there.flatMap(portsOf),
      hostInterfaces: there.map(({ hostInterface }) => hostInterface),
      settings: settingsToMake(record.settingsBefore ?? {}),
    };
  }

  async #make(): Promise<void> {
    const { bootId, bridge, helper, log, store } = this.#options;
    try {
      let before = this.#networks.get(DEFAULT_NETWORK);
      // Without pods another bridge, or other subnets, are another network.
      if (before !== undefined && (before.bridge !== bridge || before.subnet !== this.#subnetText) && this.#endpoints.size === 0) {
        await this.removeUnused();
        before = undefined;
      }
      const own = new Set([bridge, ...[...this.#endpoints.values()].map(({ hostInterface }) => hostInterface)]);
      const found = await readSettings(
        this.#subnets.map(({ family }) => family),
        own,
      );
      const settingsBefore = { ...found, ...(before === undefined ? {} : this.#recordedSettings(before)) };
      const { nftTable } = this;
      const record: NetworkRecord = { id: DEFAULT_NETWORK, bridge, subnet: this.#subnetText, nftTable, settingsBefore, bootId };
      await store.commit(this.#networks.put(record));
      const { warnings, tableFingerprint } = await helper.ensureNetwork(this.#wanted(record));
      this.#warnings = warnings;
      for (const warning of warnings) log.warn({ bridge }, warning);
      this.#tableFingerprint = tableFingerprint;
      this.#ready = true;
    } catch (failure) {
      this.#problem = `make network ${DEFAULT_NETWORK} on bridge ${bridge}: ${messageOf(failure)}`;
      log.warn({ err: messageOf(failure), bridge }, "the pod network could not be made");
      // What somebody has to change first is told as such; all else may be gone with the next try.
      const kind = kindOf(failure) === "failed-precondition" ? "failed-precondition" : "unavailable";
      throw new AgentError(kind, this.#problem, { cause: failure });
    }
  }
}
