// All hosts of one registry, for one pull: each thing is asked of them in order until one has it.
import { wrap } from "../../base/errors.ts";
import { throwIfAborted } from "../abortable-calls.ts";
import { type Reference, repository } from "../reference.ts";
import { isRegistryUnavailable, ofHosts } from "./failures.ts";
import { CAPABILITIES, type Capability, registryHosts } from "./hosts.ts";
import type { RegistryAuth } from "./credentials.ts";
import { IMPATIENT, PATIENT, RegistryClient } from "./registry-client.ts";

export class Registry {
  readonly #clients: readonly RegistryClient[];
  /** Hosts that did not answer; a pull waits for each of them once. */
  readonly #silent = new Map<RegistryClient, unknown>();

  private constructor(clients: readonly RegistryClient[]) {
    this.#clients = clients;
  }

  /** @throws AgentError failed-precondition for a table that can't be read, invalid-argument for credentials that can't be sent */
  static async open(configDir: string, reference: Reference, auth: RegistryAuth | undefined): Promise<Registry> {
    const hosts = await registryHosts(configDir, reference.registry);
    const lasts = CAPABILITIES.map((capability) => hosts.findLast((host) => host.capabilities.has(capability)));
    return new Registry(hosts.map((host) => new RegistryClient(host, reference, auth, lasts.includes(host) ? PATIENT : IMPATIENT)));
  }

  /** @throws AgentError of the last host, which is the registry itself, with what the others said */
  async ask<T>(capability: Capability, signal: AbortSignal, work: (client: RegistryClient) => Promise<T>): Promise<T> {
    const failures: unknown[] = [];
    for (const client of this.#clients.filter((each) => each.host.capabilities.has(capability))) {
      const silent = this.#silent.get(client);
      if (silent !== undefined) {
        failures.push(silent);
        continue;
      }
      try {
        return await work(client);
      } catch (failure) {
        throwIfAborted(signal);
        failures.push(failure);
        if (isRegistryUnavailable(failure)) this.#silent.set(client, failure);
      }
    }
    throw ofHosts(failures);
  }

  async close(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
  }
}

/** Runs a pull's work with its hosts, and lets go of their connections after it. */
export async function withRegistry<T>(
  configDir: string,
  reference: Reference,
  auth: RegistryAuth | undefined,
  work: (registry: Registry) => Promise<T>,
): Promise<T> {
  try {
    const registry = await Registry.open(configDir, reference, auth);
    try {
      return await work(registry);
    } finally {
      await registry.close();
    }
  } catch (failure) {
    throw wrap(failure, `pull ${repository(reference)}`);
  }
}
