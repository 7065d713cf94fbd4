// What the sandbox asks of its containers: stop and remove them all, and settle exits, recoveries and losses.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { allSteps, messageOf } from "../base/errors.ts";
import type { ContainerId, SandboxId } from "../base/ids.ts";
import { type ShimContainer, ShimContainerPhase } from "../generated/berth/native/shim.ts";
import type { SandboxContents } from "../sandbox/contents.ts";
import type { ContainerContext } from "./context.ts";
import { undoCreate } from "./create-container.ts";
import { type Exit, processExit, shimLost, unknownExit, withExit } from "./exit.ts";
import type { ContainerRecord } from "./records.ts";
import { removeContainer } from "./remove-container.ts";
import { nextContainerState } from "./state.ts";
import { stopContainer } from "./stop-container.ts";

// exit.json holds four short fields; more is not ours.
const MAX_EXIT_FILE_BYTES = 4096;

export class ContainersOfSandbox implements SandboxContents {
  readonly #context: ContainerContext;

  constructor(context: ContainerContext) {
    this.#context = context;
  }

  async stopAll(sandboxId: SandboxId): Promise<void> {
    const { sandboxes } = this.#context;
    await this.#each(sandboxId, "stop containers", async ({ id, state }) => {
      await stopContainer(this.#context, id, 0);
      await sandboxes.findShim(sandboxId)?.deleteContainer(id);
      if (state === "created")
        await this.#record(id, unknownExit("its pod was stopped before it was started", this.#context.clock.nowNanos()));
    });
  }

  async removeAll(sandboxId: SandboxId): Promise<void> {
    await this.#each(sandboxId, "remove containers", ({ id }) => removeContainer(this.#context, id));
  }

  exited(_sandboxId: SandboxId, container: ShimContainer): void {
    const id = container.containerId as ContainerId;
    void this.#settle(id, container).catch((failure: unknown) => {
      this.#context.log.error(
        { containerId: id, err: messageOf(failure) },
        "an exit could not be recorded; it is on disk, and is read again at the next start",
      );
    });
  }

  async recover(sandboxId: SandboxId, containers: readonly ShimContainer[]): Promise<void> {
    const known = new Map(containers.map((each) => [each.containerId, each]));
    await this.#each(sandboxId, "recover containers", async (record) => {
      const found = known.get(record.id);
      if (record.state === "planned") await undoCreate(this.#context, record);
      else if (found === undefined) await this.#lose(record);
      else await this.#settle(record.id, found);
    });
  }

  async lost(sandboxId: SandboxId, stateDir: string): Promise<void> {
    await this.#each(sandboxId, "settle lost containers", async (record) => {
      if (record.state === "planned") return await undoCreate(this.#context, record);
      const exit = (await readExit(stateDir, record.id)) ?? shimLost(this.#context.clock.nowNanos());
      await this.#record(record.id, exit);
    });
  }

  async rebooted(sandboxId: SandboxId): Promise<void> {
    const exit = unknownExit("the machine was started anew", this.#context.clock.nowNanos());
    await this.#each(sandboxId, "settle containers of an earlier boot", async (record) => {
      if (record.state === "planned") await undoCreate(this.#context, record);
      else await this.#record(record.id, exit);
    });
  }

  /** Brings a record to what the shim says of the container; the shim was there all the time. */
  async #settle(id: ContainerId, found: ShimContainer): Promise<void> {
    if (found.phase === ShimContainerPhase.SHIM_CONTAINER_PHASE_RUNNING) {
      return await this.#context.lock.run(id, async () => {
        const record = this.#context.records.get(id);
        if (record?.state !== "created") return;
        // berthd ended between the start and its record.
        const running = {
          ...record,
          state: nextContainerState(record.state, "start"),
          pid: found.pid,
          startedAtNanos: found.startedAtNanos,
        };
        await this.#context.store.commit(this.#context.records.put(running));
      });
    }
    if (found.exit === undefined) return;
    const { exitCode, oomKilled, finishedAtNanos } = found.exit;
    await this.#record(id, processExit(exitCode, oomKilled, finishedAtNanos), found.startedAtNanos);
  }

  async #record(id: ContainerId, exit: Exit, startedAtNanos = 0n): Promise<void> {
    const { exits, helper, lock, records, store } = this.#context;
    await lock.run(id, async () => {
      const record = records.get(id);
      if (record !== undefined && record.state !== "exited") {
        // Exited means that no process is left, also of those that share the node's PID namespace.
        await helper.killCgroup({ cgroupPath: record.cgroupPath, timeoutMillis: 10_000 });
        const started = record.startedAtNanos === 0n ? { ...record, startedAtNanos } : record;
        await store.commit(records.put(withExit(started, exit)));
      }
      exits.exited(id);
    });
  }

  async #lose(record: ContainerRecord): Promise<void> {
    if (record.state === "exited") return;
    await this.#record(record.id, unknownExit("the pod's shim does not know it", this.#context.clock.nowNanos()));
  }

  async #each(sandboxId: SandboxId, doing: string, work: (record: ContainerRecord) => Promise<void>): Promise<void> {
    const all = [...this.#context.records.values()].filter((record) => record.sandboxId === sandboxId);
    const results = await Promise.allSettled(all.map(work));
    await allSteps(
      `${doing} of pod ${sandboxId}`,
      results.map((result) => () => (result.status === "rejected" ? Promise.reject(result.reason) : Promise.resolve())),
    );
  }
}

async function readExit(stateDir: string, id: ContainerId): Promise<Exit | undefined> {
  try {
    const text = await readFile(join(stateDir, "containers", id, "exit.json"), "utf8");
    const value: unknown = JSON.parse(text.slice(0, MAX_EXIT_FILE_BYTES));
    if (typeof value !== "object" || value === null || !("exitCode" in value) || !("finishedAtNanos" in value)) return undefined;
    const oomKilled = "oomKilled" in value && value.oomKilled === true;
    return processExit(Number(value.exitCode), oomKilled, BigInt(String(value.finishedAtNanos)));
  } catch {
    // No exit was written: it was running when the shim ended.
    return undefined;
  }
}
