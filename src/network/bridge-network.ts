// What all pods of the bridge have in common in the kernel: the bridge, the table of nftables, and settings. It is recorded before it
// is made, and until it is gone.
import { AgentError, during, kindOf, messageOf } from "../base/errors.ts";
import { CallsInFlight } from "../base/join-calls.ts";
import type { Log } from "../base/log.ts";
import type { EnsureNetwork, NetworkDifference } from "../generated/berth/native/helper.ts";
import type { Helper } from "../native-client/helper.ts";
import type { Collection } from "../store/collection.ts";
import type { Store } from "../store/store.ts";
import { IP_FORWARD, readSettings, type SettingsBefore, settingsToMake, settingsToRestore } from "./kernel-settings.ts";
import { type EndpointRecord, type NetworkRecord, portsOf } from "./records.ts";
import type { Subnet } from "./subnet.ts";

export interface BridgeOptions {
  readonly store: Store;
  readonly helper: Helper;
  readonly log: Log;
  readonly instanceId: string;
  readonly bridge: string;
  readonly bootId: string;
  readonly mtu: number; // 0: 1500
}

/** What the pods need of it. */
export interface BridgeUse {
  readonly subnets: readonly Subnet[];
  readonly gatewayPrefixes: readonly string[];
  /** All that have an address; the network goes with the last of them. */
  readonly endpoints: () => readonly EndpointRecord[];
  /** Those of them that are not being taken away. */
  readonly staying: () => readonly EndpointRecord[];
}

export const DEFAULT_NETWORK = "default";

export class BridgeNetwork {
  readonly #options: BridgeOptions;
  readonly #use: BridgeUse;
  readonly #networks: Collection<NetworkRecord>;
  readonly #ensuring = new CallsInFlight<void>();
  #making = Promise.resolve();
  #ready = false;
  #warnings: readonly string[] = [];
  #problem = "the pod network has not been made yet";
  #tableFingerprint = 0n;

  constructor(options: BridgeOptions, use: BridgeUse) {
    this.#options = options;
    this.#use = use;
    this.#networks = options.store.collection<NetworkRecord>("network");
  }

  get record(): NetworkRecord | undefined {
    return this.#networks.get(DEFAULT_NETWORK);
  }

  get problem(): string | undefined {
    return this.#ready ? undefined : this.#problem;
  }

  get warnings(): readonly string[] {
    return this.#warnings;
  }

  get nftTable(): string {
    return `berth_${this.#options.instanceId}`;
  }

  /** Says on the node whose the bridge is. */
  get #alias(): string {
    return `berth:${this.#options.instanceId}`;
  }

  /** The subnets as they are recorded. */
  get subnetText(): string {
    return this.#use.subnets.map(({ text }) => text).join(",");
  }

  /** Settles when the table is as it was last told to be. */
  async settled(): Promise<void> {
    await this.#making;
  }

  /** Calls at the same time share one attempt. @throws AgentError failed-precondition or unavailable, as `problem` says */
  async ensure(): Promise<void> {
    if (this.#ready) return;
    await this.#ensuring.join(DEFAULT_NETWORK, () => {
      const made = this.#make();
      this.#making = made.catch(() => {});
      return made;
    });
  }

  async differences(): Promise<readonly NetworkDifference[]> {
    const { record } = this;
    if (!this.#ready || record === undefined) return [];
    const wanted = this.#wanted(record);
    return (await this.#options.helper.checkNetwork({ wanted, tableFingerprint: this.#tableFingerprint })).differences;
  }

  async mend(): Promise<void> {
    this.#ready = false;
    await this.ensure();
  }

  async removeUnused(): Promise<void> {
    const { record } = this;
    if (record === undefined || this.#use.endpoints().length > 0) return;
    this.#ready = false;
    await during(`remove network ${record.id}`, async () => {
      const { bridge, nftTable } = record;
      const settings = settingsToRestore(this.#recordedSettings(record));
      await this.#options.helper.removeNetwork({ bridge, nftTable, bridgeAlias: this.#alias, settings });
      await this.#options.store.commit(this.#networks.delete(record.id));
    });
  }

  /** Those of an earlier boot went with it. */
  #recordedSettings({ settingsBefore, ipForwardBefore, bootId }: NetworkRecord): SettingsBefore {
    if (bootId !== undefined && bootId !== this.#options.bootId) return {};
    return settingsBefore ?? { [IP_FORWARD]: ipForwardBefore === true ? "1" : "0" };
  }

  #wanted(record: NetworkRecord): EnsureNetwork {
    const staying = this.#use.staying();
    return {
      bridge: record.bridge,
      bridgeAlias: this.#alias,
      gatewayPrefixes: [...this.#use.gatewayPrefixes],
      nftTable: record.nftTable,
      masquerade: true,
      mtu: this.#options.mtu,
      hostPorts: staying.flatMap(portsOf),
      hostInterfaces: staying.map(({ hostInterface }) => hostInterface),
      settings: settingsToMake(record.settingsBefore ?? {}),
    };
  }

  async #make(): Promise<void> {
    const { bridge, helper, log, store } = this.#options;
    let before: NetworkRecord | undefined;
    try {
      before = await this.#recordBefore();
      const record = await this.#planned(before);
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
      // It is found before anything is made, so there is nothing to put back.
      if (kind === "failed-precondition" && before === undefined) await store.commit(this.#networks.delete(DEFAULT_NETWORK));
      throw new AgentError(kind, this.#problem, { cause: failure });
    }
  }

  /** Without pods another bridge, or other subnets, are another network. */
  async #recordBefore(): Promise<NetworkRecord | undefined> {
    const { record } = this;
    if (record === undefined || this.#use.endpoints().length > 0) return record;
    if (record.bridge === this.#options.bridge && record.subnet === this.subnetText) return record;
    await this.removeUnused();
    return undefined;
  }

  async #planned(before: NetworkRecord | undefined): Promise<NetworkRecord> {
    const { bridge, bootId } = this.#options;
    const own = new Set([bridge, ...this.#use.endpoints().map(({ hostInterface }) => hostInterface)]);
    const families = this.#use.subnets.map(({ family }) => family);
    const settingsBefore = { ...(await readSettings(families, own)), ...(before === undefined ? {} : this.#recordedSettings(before)) };
    return { id: DEFAULT_NETWORK, bridge, subnet: this.subnetText, nftTable: this.nftTable, settingsBefore, bootId };
  }
}
