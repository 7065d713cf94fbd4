// What the sandbox asks of its containers: stop and remove them all, and settle exits, recoveries and losses.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { allAtOnce } from "../base/errors.ts";
import type { ContainerId, SandboxId } from "../base/ids.ts";
import type { ShimContainer } from "../generated/berth/native/shim.ts";
import type { SandboxContents } from "../sandbox/contents.ts";
import { untilSettled } from "../sandbox/recover-sandbox.ts";
import type { ContainerContext } from "./context.ts";
import { undoCreate } from "./create-container.ts";
import { type Exit, processExit, shimLost, unknownExit } from "./exit.ts";
import type { ContainerRecord } from "./records.ts";
import { removeContainer } from "./remove-container.ts";
import { recordExit, settle } from "./settle.ts";
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
        await recordExit(this.#context, id, unknownExit("its pod was stopped before it was started", this.#context.clock.nowNanos()));
    });
  }

  async removeAll(sandboxId: SandboxId): Promise<void> {
    await this.#each(sandboxId, "remove containers", ({ id }) => removeContainer(this.#context, id));
  }

  changed(sandboxId: SandboxId, container: ShimContainer): void {
    void untilSettled(this.#context.log, sandboxId, () => settle(this.#context, container));
  }

  async undoPlanned(sandboxId: SandboxId): Promise<void> {
    await this.#each(sandboxId, "take back planned containers", async (record) => {
      if (record.state === "planned") await undoCreate(this.#context, record);
    });
  }

  async recover(sandboxId: SandboxId, containers: readonly ShimContainer[]): Promise<void> {
    const known = new Map(containers.map((each) => [each.containerId, each]));
    await this.#each(sandboxId, "recover containers", async (record) => {
      const found = known.get(record.id);
      if (record.state === "planned") await undoCreate(this.#context, record);
      else if (found === undefined) await this.#lose(record);
      else await settle(this.#context, found);
    });
  }

  async lost(sandboxId: SandboxId, stateDir: string): Promise<void> {
    await this.#each(sandboxId, "settle lost containers", async (record) => {
      if (record.state === "planned") return await undoCreate(this.#context, record);
      const exit = (await readExit(stateDir, record.id)) ?? shimLost(this.#context.clock.nowNanos());
      await recordExit(this.#context, record.id, exit);
    });
  }

  async rebooted(sandboxId: SandboxId): Promise<void> {
    const exit = unknownExit("the machine was started anew", this.#context.clock.nowNanos());
    await this.#each(sandboxId, "settle containers of an earlier boot", async (record) => {
      if (record.state === "planned") await undoCreate(this.#context, record);
      else await recordExit(this.#context, record.id, exit);
    });
  }

  async #lose(record: ContainerRecord): Promise<void> {
    if (record.state === "exited") return;
    await recordExit(this.#context, record.id, unknownExit("the pod's shim does not know it", this.#context.clock.nowNanos()));
  }

  async #each(sandboxId: SandboxId, doing: string, work: (record: ContainerRecord) => Promise<void>): Promise<void> {
    await allAtOnce(`${doing} of pod ${sandboxId}`, this.#context.bySandbox.get(sandboxId).map(work));
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
