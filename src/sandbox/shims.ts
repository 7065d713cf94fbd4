// The connections to the shims, one a pod. A shim that ends is noticed here, by its connection.
import { readFile } from "node:fs/promises";
import { AgentError } from "../base/errors.ts";
import type { SandboxId } from "../base/ids.ts";
import { shortId } from "../base/ids.ts";
import type { ShimContainer } from "../generated/berth/native/shim.ts";
import { ShimClient } from "../native-client/shim.ts";
import type { SandboxRecord, ShimIdentity } from "./records.ts";

export interface ShimListener {
  changed(sandboxId: SandboxId, container: ShimContainer): void;
  /** The connection ended although nobody here closed it. */
  disconnected(sandboxId: SandboxId): void;
}

export class Shims {
  readonly #clients = new Map<SandboxId, ShimClient>();
  readonly #listener: ShimListener;

  constructor(listener: ShimListener) {
    this.#listener = listener;
  }

  async connect(sandbox: Pick<SandboxRecord, "id" | "socketPath">): Promise<ShimClient> {
    const client = await ShimClient.open(sandbox.socketPath, shortId(sandbox.id), (container) =>
      this.#listener.changed(sandbox.id, container),
    );
    this.#clients.set(sandbox.id, client);
    void client.closed.then(() => {
      if (this.#clients.get(sandbox.id) !== client) return;
      this.#clients.delete(sandbox.id);
      this.#listener.disconnected(sandbox.id);
    });
    return client;
  }

  /** @throws AgentError unavailable when the pod's shim is gone */
  get(sandboxId: SandboxId): ShimClient {
    const client = this.#clients.get(sandboxId);
    if (client === undefined) throw new AgentError("unavailable", `reach shim of pod ${sandboxId}: it has ended`);
    return client;
  }

  find(sandboxId: SandboxId): ShimClient | undefined {
    return this.#clients.get(sandboxId);
  }

  /** Ends the connection; its end is then no news. */
  forget(sandboxId: SandboxId): void {
    const client = this.#clients.get(sandboxId);
    this.#clients.delete(sandboxId);
    client?.close();
  }

  forgetAll(): void {
    for (const id of [...this.#clients.keys()]) this.forget(id);
  }
}

/** Whether exactly this process is still there: a pid that was used again has another start time. */
export async function isAlive(shim: ShimIdentity): Promise<boolean> {
  const stat = await readFile(`/proc/${shim.pid}/stat`, "utf8").catch(() => "");
  // The second field is the name in parentheses, and may itself hold spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state, startTicks] = [fields[0], fields[19]];
  return startTicks !== undefined && BigInt(startTicks) === shim.startTicks && state !== "Z" && state !== "X";
}
