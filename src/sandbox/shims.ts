// The connections to the shims, one a pod. A shim that ends is noticed here, by its connection.
import { AgentError, kindOf, messageOf } from "../base/errors.ts";
import type { SandboxId } from "../base/ids.ts";
import { processFile } from "../base/process-file.ts";
import { shortId } from "../base/ids.ts";
import type { ShimContainer } from "../generated/berth/native/shim.ts";
import { ShimClient } from "../native-client/shim.ts";
import type { SandboxRecord, ShimIdentity } from "./records.ts";

export interface ShimBuild {
  /** "" of builds that do not say, and of one that can't be driven */
  readonly version: string;
  /** whether new pods get the same */
  readonly isInstalled: boolean;
  /** why it can't be driven by this build of berthd */
  readonly problem: string | undefined;
}

export interface ShimListener {
  changed(sandboxId: SandboxId, container: ShimContainer): void;
  /** The connection ended although nobody here closed it. */
  disconnected(sandboxId: SandboxId): void;
}

export class Shims {
  readonly #clients = new Map<SandboxId, ShimClient>();
  /** why a shim that is there can't be driven by this build */
  readonly #strangers = new Map<SandboxId, string>();
  readonly #listener: ShimListener;

  constructor(listener: ShimListener) {
    this.#listener = listener;
  }

  /** @throws AgentError failed-precondition when the shim is of a build that this one does not understand */
  async connect(sandbox: Pick<SandboxRecord, "id" | "socketPath">): Promise<ShimClient> {
    const client = await this.#open(sandbox);
    this.#clients.set(sandbox.id, client);
    void client.closed.then(() => {
      if (this.#clients.get(sandbox.id) !== client) return;
      this.#clients.delete(sandbox.id);
      this.#listener.disconnected(sandbox.id);
    });
    return client;
  }

  /** @throws AgentError unavailable when the pod's shim is gone, failed-precondition when it is of a build that this one does not understand */
  get(sandboxId: SandboxId): ShimClient {
    const client = this.#clients.get(sandboxId);
    const problem = this.#strangers.get(sandboxId);
    if (problem !== undefined) throw new AgentError("failed-precondition", problem);
    if (client === undefined) throw new AgentError("unavailable", `reach shim of pod ${sandboxId}: it has ended`);
    return client;
  }

  find(sandboxId: SandboxId): ShimClient | undefined {
    return this.#clients.get(sandboxId);
  }

  /** Why the pod's shim can't be driven by this build; undefined when it can. */
  problem(sandboxId: SandboxId): string | undefined {
    return this.#strangers.get(sandboxId);
  }

  /** Ends the connection; its end is then no news. */
  forget(sandboxId: SandboxId): void {
    const client = this.#clients.get(sandboxId);
    this.#clients.delete(sandboxId);
    this.#strangers.delete(sandboxId);
    client?.close();
  }

  forgetAll(): void {
    for (const id of [...this.#clients.keys()]) this.forget(id);
  }

  async #open({ id, socketPath }: Pick<SandboxRecord, "id" | "socketPath">): Promise<ShimClient> {
    try {
      return await ShimClient.open(socketPath, shortId(id), (container) => this.#listener.changed(id, container));
    } catch (failure) {
      if (kindOf(failure) === "failed-precondition") this.#strangers.set(id, messageOf(failure));
      throw failure;
    }
  }
}

/** Whether exactly this process is still there: a pid that was used again has another start time. */
export function isAlive(shim: ShimIdentity): boolean {
  const stat = processFile(shim.pid, "stat");
  // The second field is the name in parentheses, and may itself hold spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state, startTicks] = [fields[0], fields[19]];
  return startTicks !== undefined && BigInt(startTicks) === shim.startTicks && state !== "Z" && state !== "X";
}
