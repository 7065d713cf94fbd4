// Pod sandboxes: what the CRI edge and the container module may ask of them. Work on one sandbox is ordered by its lock.
import type { ShowStage } from "../base/activity.ts";
import { AgentError, during } from "../base/errors.ts";
import { type SandboxId, shortId } from "../base/ids.ts";
import { CallsInFlight } from "../base/join-calls.ts";
import { KeyedLock } from "../base/keyed-lock.ts";
import { runsProgram } from "../base/runs-program.ts";
import type { Duplex } from "node:stream";
import type { ProcessIo } from "../native-client/process-io.ts";
import type { ShimClient } from "../native-client/shim.ts";
import { forwardPort } from "../native-client/shim-port.ts";
import { runSession, type SessionCall } from "../native-client/shim-session.ts";
import type { RecordIndex } from "../store/record-index.ts";
import type { SandboxContents } from "./contents.ts";
import type { SandboxContext } from "./context.ts";
import { sandboxEventTypes } from "./events.ts";
import { hangs, killShim } from "./kill-shim.ts";
import { recoverSandbox, recoverSandboxes, settleLost, untilSettled } from "./recover-sandbox.ts";
import { type SandboxConfig, type SandboxRecord, sandboxKey } from "./records.ts";
import { runSandbox } from "./run-sandbox.ts";
import { isAlive, type ShimBuild, Shims } from "./shims.ts";
import { nextSandboxState } from "./state.ts";
import { sharingCgroup, teardownSandbox } from "./teardown.ts";
import { type SandboxResourcesChange, updateSandboxResources } from "./update-sandbox-resources.ts";

export type SandboxOptions = Omit<SandboxContext, "records" | "byCgroup" | "shims" | "lock" | "contents">;

export class SandboxService {
  readonly #context: SandboxContext;
  readonly #byKey: RecordIndex<SandboxRecord>;
  readonly #running = new CallsInFlight<SandboxId>();
  readonly #stopping = new CallsInFlight<void>();
  #contents: SandboxContents | undefined;

  constructor(options: SandboxOptions) {
    const shims = new Shims({
      changed: (sandboxId, container) => this.#requireContents().changed(sandboxId, container),
      disconnected: (sandboxId) => void this.#disconnected(sandboxId),
    });
    const records = options.store.collection<SandboxRecord>("sandbox");
    records.accompany((before, after) => {
      const sandbox = after ?? before;
      if (sandbox === undefined) return [];
      return sandboxEventTypes(before, after).flatMap((type) => options.events.add(type, sandbox.id, sandbox));
    });
    this.#byKey = records.indexBy(({ config }) => sandboxKey(config.metadata));
    this.#context = {
      ...options,
      records,
      byCgroup: records.indexBy(({ cgroupPath }) => cgroupPath),
      shims,
      lock: new KeyedLock(),
      contents: () => this.#requireContents(),
    };
  }

  /** The container module gives itself here, once, before anything else is called. */
  holds(contents: SandboxContents): void {
    this.#contents = contents;
  }

  /** @throws AgentError already-exists when (namespace, name, uid, attempt) is taken; a call in flight is joined instead */
  run(config: SandboxConfig): Promise<SandboxId> {
    const key = sandboxKey(config.metadata);
    return this.#running.join(key, async () => {
      const other = this.#byKey.get(key).find(({ state }) => state !== "planned");
      if (other !== undefined) {
        throw new AgentError(
          "already-exists",
          `run pod sandbox: ${config.metadata.namespace}/${config.metadata.name} attempt ${config.metadata.attempt} is pod ${other.id}`,
        );
      }
      return await runSandbox(this.#context, config);
    });
  }

  /** Ends everything of the pod in the kernel; its record stays. A missing id is success. */
  async stop(id: SandboxId): Promise<void> {
    await this.#stopping.join(id, () => this.#inTurn("StopPodSandbox", id, (show) => this.#stop(id, show)));
  }

  /** Changes what the pod as a whole may use. @throws AgentError not-found, failed-precondition */
  async updateResources(id: SandboxId, change: SandboxResourcesChange): Promise<void> {
    await this.#inTurn("UpdatePodSandboxResources", id, () => updateSandboxResources(this.#context, this.get(id), change));
  }

  /** Stops the sandbox if need be, then removes it with its containers. A missing id is success. */
  async remove(id: SandboxId): Promise<void> {
    await this.stop(id);
    let owned: SandboxRecord | undefined;
    await this.#inTurn("RemovePodSandbox", id, async (show) => {
      const sandbox = this.#context.records.get(id);
      if (sandbox === undefined) return;
      nextSandboxState(sandbox.state, "remove");
      show("containers");
      await during(`remove pod sandbox ${id}`, async () => {
        await this.#context.contents().removeAll(id);
        await this.#context.store.commit(this.#context.records.delete(id));
      });
      if (sandbox.cgroupOwned) owned = sandbox;
    });
    if (owned !== undefined) await this.#handOnCgroup(owned);
  }

  /** A cgroup that we made for several pods stays ours when the one that it was made for has gone. */
  async #handOnCgroup(gone: SandboxRecord): Promise<void> {
    const [heir] = sharingCgroup(this.#context, gone);
    if (heir === undefined) return;
    await this.#context.lock.run(heir.id, async () => {
      const record = this.#context.records.get(heir.id);
      if (record !== undefined) await this.#context.store.commit(this.#context.records.put({ ...record, cgroupOwned: true }));
    });
  }

  /** Sandboxes as the CRI shows them: those that were run, until they are removed. */
  list(): SandboxRecord[] {
    return [...this.#context.records.values()].filter((sandbox) => sandbox.state !== "planned");
  }

  /** Planned ones among them. */
  records(): SandboxRecord[] {
    return [...this.#context.records.values()];
  }

  /** Whether something is being done to it, or waits to be done. */
  isBusy(id: string): boolean {
    return this.#context.lock.isHeld(id);
  }

  /** Does `work` while nobody else does anything to the sandbox; undefined when somebody does already. */
  async whileIdle<T>(id: string, work: () => Promise<T>): Promise<T | undefined> {
    return this.isBusy(id) ? undefined : await this.#inTurn("Audit", id, work);
  }

  /** @throws AgentError not-found */
  get(id: SandboxId): SandboxRecord {
    const sandbox = this.#context.records.get(id);
    if (sandbox === undefined || sandbox.state === "planned") throw new AgentError("not-found", `find pod sandbox: no pod has id ${id}`);
    return sandbox;
  }

  find(id: SandboxId): SandboxRecord | undefined {
    return this.#context.records.get(id);
  }

  /** The shim of a ready sandbox. @throws AgentError failed-precondition when it is not ready */
  shim(id: SandboxId): ShimClient {
    this.#requireReady(id);
    return this.#context.shims.get(id);
  }

  findShim(id: SandboxId): ShimClient | undefined {
    return this.#context.shims.find(id);
  }

  /** Of which build the shim of a ready sandbox is; undefined when it has none. */
  async shimBuild(id: SandboxId): Promise<ShimBuild | undefined> {
    const { records, shims, shimProgram } = this.#context;
    const sandbox = records.get(id);
    if (sandbox?.state !== "ready" || sandbox.shim === undefined) return undefined;
    const isInstalled = shimProgram === undefined || (await runsProgram(sandbox.shim.pid, shimProgram));
    return { version: shims.find(id)?.version ?? "", isInstalled, problem: shims.problem(id) };
  }

  /** A process of the pod with its streams, to its end. @throws AgentError failed-precondition when the pod is not ready, cancelled */
  async runSession(id: SandboxId, call: SessionCall, io: ProcessIo): Promise<number> {
    const { socketPath } = this.#requireReady(id);
    this.#context.shims.get(id).require("streams of a process");
    return await runSession(socketPath, `shim of pod ${shortId(id)}`, call, io);
  }

  /** One connection to a port of the pod, to the end of both directions. @throws AgentError unavailable when nobody listens, cancelled */
  async forwardPort(id: SandboxId, port: number, data: Duplex, gone: AbortSignal): Promise<void> {
    const { socketPath } = this.#requireReady(id);
    await forwardPort(socketPath, `shim of pod ${shortId(id)}`, port, data, gone);
  }

  /** Brings records and kernel together after a start of berthd; calls are served only after it. */
  async recover(): Promise<void> {
    await recoverSandboxes(this.#context);
  }

  /** Brings one sandbox and the kernel together, as after a start of berthd. The caller holds it (`whileIdle`). */
  async settle(id: SandboxId): Promise<void> {
    const sandbox = this.#context.records.get(id);
    if (sandbox !== undefined) await recoverSandbox(this.#context, sandbox);
  }

  /** Ends the connections; pods go on. */
  close(): void {
    this.#context.shims.forgetAll();
  }

  #inTurn<T>(call: string, id: string, work: (show: ShowStage) => Promise<T>): Promise<T> {
    return this.#context.activities.inTurn(call, { objectId: id }, this.#context.lock, work);
  }

  async #stop(id: SandboxId, show: ShowStage): Promise<void> {
    const sandbox = this.#context.records.get(id);
    if (sandbox === undefined || sandbox.state === "notready") return;
    await during(`stop pod sandbox ${id}`, async () => {
      const { shim } = sandbox;
      // Its loss may be noticed by this stop first; then that is all there is to do.
      if (sandbox.state === "ready" && (shim === undefined || !isAlive(shim))) return await settleLost(this.#context, sandbox);
      const problem = this.#context.shims.problem(id);
      show("shim");
      if (shim !== undefined && (problem !== undefined || (await hangs(this.#context, id))))
        return await killShim(this.#context, sandbox, shim, problem);
      show("containers");
      await this.#context.contents().stopAll(id);
      show("teardown");
      await teardownSandbox(this.#context, sandbox);
      await this.#context.store.commit(this.#context.records.put({ ...sandbox, state: nextSandboxState(sandbox.state, "stop") }));
    });
  }

  async #disconnected(id: SandboxId): Promise<void> {
    const { log, records, shims } = this.#context;
    await untilSettled(log, id, async () => {
      await this.#inTurn("settle the pod", id, async () => {
        const sandbox = records.get(id);
        if (sandbox?.state !== "ready" || sandbox.shim === undefined || shims.find(id) !== undefined) return;
        if (!isAlive(sandbox.shim)) return await settleLost(this.#context, sandbox);
        const client = await shims.connect(sandbox);
        const { containers } = await client.hello();
        await this.#requireContents().recover(id, containers);
      });
    });
  }

  #requireReady(id: SandboxId): SandboxRecord {
    const sandbox = this.get(id);
    if (sandbox.state !== "ready") throw new AgentError("failed-precondition", `use pod sandbox ${id}: it is ${sandbox.state}`);
    return sandbox;
  }

  #requireContents(): SandboxContents {
    if (this.#contents === undefined) throw new AgentError("internal", "use pod sandboxes: the container module is not there");
    return this.#contents;
  }
}
