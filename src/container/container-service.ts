// Containers: what the CRI edge may ask of them. Work on one container is ordered by its lock.
import { AgentError } from "../base/errors.ts";
import type { ContainerId, SandboxId } from "../base/ids.ts";
import { CallsInFlight } from "../base/join-calls.ts";
import { KeyedLock } from "../base/keyed-lock.ts";
import type { ExecOutcome } from "../native-client/shim.ts";
import type { Resources } from "../sandbox/records.ts";
import { BlockedLogs } from "./blocked-logs.ts";
import { checkpointContainer, requireCheckpoints } from "./checkpoint-container.ts";
import { CompiledFilters } from "./compiled-filters.ts";
import type { ContainerContext } from "./context.ts";
import { type CopiedPiece, copyFrom, copyTo, type CopyTarget } from "./copy-files.ts";
import { createContainer } from "./create-container.ts";
import { containerEventTypes } from "./events.ts";
import { attach, exec, type ProcessIo, requireRunning } from "./exec.ts";
import { execSync } from "./exec-sync.ts";
import { ExitWaiters } from "./exit-waiters.ts";
import { MountSources } from "./mount-sources.ts";
import type { ContainerConfig, ContainerRecord } from "./records.ts";
import { removeContainer } from "./remove-container.ts";
import { reopenLog } from "./reopen-log.ts";
import { ContainersOfSandbox } from "./sandbox-contents.ts";
import { startContainer } from "./start-container.ts";
import { stopContainer } from "./stop-container.ts";
import { updateResources } from "./update-resources.ts";
import { retainImages } from "./volumes.ts";

export type ContainerOptions = Omit<
  ContainerContext,
  "records" | "bySandbox" | "lock" | "exits" | "mountSources" | "filters" | "blockedLogs"
>;

export class ContainerService {
  readonly #context: ContainerContext;
  readonly #creating = new CallsInFlight<ContainerId>();
  readonly #starting = new CallsInFlight<void>();

  constructor(options: ContainerOptions) {
    const records = options.store.collection<ContainerRecord>("container");
    records.accompany((before, after) => {
      const container = after ?? before;
      const sandbox = container === undefined ? undefined : options.sandboxes.find(container.sandboxId);
      if (container === undefined || sandbox === undefined) return [];
      return containerEventTypes(before, after).flatMap((type) => options.events.add(type, container.id, sandbox));
    });
    this.#context = {
      ...options,
      records,
      bySandbox: records.indexBy(({ sandboxId }) => sandboxId),
      lock: new KeyedLock(),
      mountSources: new MountSources(options.helper),
      exits: new ExitWaiters(),
      filters: new CompiledFilters(options.clock),
      blockedLogs: new BlockedLogs(),
    };
    for (const container of this.#context.records.values()) retainImages(container, options.images);
    options.sandboxes.holds(new ContainersOfSandbox(this.#context));
  }

  /** @throws AgentError already-exists when (name, attempt) is taken in the pod; a call in flight is joined instead */
  create(sandboxId: SandboxId, config: ContainerConfig): Promise<ContainerId> {
    return this.#creating.join(JSON.stringify([sandboxId, config.name, config.attempt]), async () => {
      const other = this.ofSandbox(sandboxId).find((each) => each.config.name === config.name && each.config.attempt === config.attempt);
      if (other !== undefined) {
        throw new AgentError(
          "already-exists",
          `create container: ${config.name} attempt ${config.attempt} of pod ${sandboxId} is container ${other.id}`,
        );
      }
      return await createContainer(this.#context, sandboxId, config);
    });
  }

  start(id: ContainerId): Promise<void> {
    return this.#starting.join(id, () => startContainer(this.#context, (each) => this.get(each), id));
  }

  /** @param graceMs 0 kills at once */
  stop(id: ContainerId, graceMs: number): Promise<void> {
    return stopContainer(this.#context, id, graceMs);
  }

  remove(id: ContainerId): Promise<void> {
    return removeContainer(this.#context, id);
  }

  execSync(id: ContainerId, command: readonly string[], timeoutSeconds: bigint, signal: AbortSignal): Promise<ExecOutcome> {
    return execSync(this.#context, (each) => this.get(each), id, command, timeoutSeconds, signal);
  }

  /** @param doing "exec in" @throws AgentError not-found, failed-precondition */
  requireRunning(id: ContainerId, doing: string): ContainerId {
    return requireRunning(this.get(id), doing).id;
  }

  /** @returns the exit code @throws AgentError failed-precondition, cancelled */
  exec(id: ContainerId, command: readonly string[], tty: boolean, io: ProcessIo): Promise<number> {
    return exec(this.#context, (each) => this.get(each), id, command, tty, io);
  }

  /** @returns the exit code of the container @throws AgentError failed-precondition, cancelled */
  attach(id: ContainerId, io: ProcessIo): Promise<number> {
    return attach(this.#context, (each) => this.get(each), id, io);
  }

  reopenLog(id: ContainerId): Promise<void> {
    return reopenLog(this.#context, (each) => this.get(each), id);
  }

  /** @throws AgentError unimplemented where checkpoints are off */
  requireCheckpoints(): void {
    requireCheckpoints(this.#context);
  }

  /** @param location absolute path of the archive @param timeoutSeconds 0n: as long as any call of the OCI runtime */
  checkpoint(id: ContainerId, location: string, timeoutSeconds: bigint, signal: AbortSignal): Promise<void> {
    return checkpointContainer(this.#context, (each) => this.get(each), id, location, timeoutSeconds, signal);
  }

  /** @param path as the container sees it */
  copyFrom(id: ContainerId, path: string, followLink: boolean, signal: AbortSignal): AsyncGenerator<CopiedPiece> {
    return copyFrom(this.#context, (each) => this.get(each), id, path, followLink, signal);
  }

  copyTo(id: ContainerId, target: CopyTarget, tar: AsyncIterable<Buffer>, signal: AbortSignal): Promise<void> {
    return copyTo(this.#context, (each) => this.get(each), id, target, tar, signal);
  }

  /** @param change what is absent stays as it is */
  updateResources(id: ContainerId, change: Partial<Resources>): Promise<void> {
    return updateResources(this.#context, (each) => this.get(each), id, change);
  }

  /** Containers as the CRI shows them: those that were created, until they are removed. */
  list(): ContainerRecord[] {
    return [...this.#context.records.values()].filter((container) => container.state !== "planned");
  }

  /** Planned ones among them. */
  records(): ContainerRecord[] {
    return [...this.#context.records.values()];
  }

  /** Whether something is being done to it, or waits to be done. */
  isBusy(id: string): boolean {
    return this.#context.lock.isHeld(id);
  }

  /** Does `work` while nobody else does anything to the container; undefined when somebody does already. */
  async whileIdle<T>(id: string, work: () => Promise<T>): Promise<T | undefined> {
    const { activities, lock } = this.#context;
    return this.isBusy(id) ? undefined : await activities.inTurn("Audit", { objectId: id }, lock, work);
  }

  /** Whether it runs, and waits for room for its log. */
  isLogBlocked({ id, state }: ContainerRecord): boolean {
    return state === "running" && this.#context.blockedLogs.failure(id) !== undefined;
  }

  /** "web of pod default/shop waits for room for its log: write log …, and 2 more"; undefined when none does */
  logProblem(): string | undefined {
    const { blockedLogs, records, sandboxes } = this.#context;
    const [first, ...more] = blockedLogs
      .ids()
      .flatMap((id) => records.get(id) ?? [])
      .filter((each) => this.isLogBlocked(each));
    if (first === undefined) return undefined;
    const { namespace, name } = sandboxes.get(first.sandboxId).config.metadata;
    const others = more.length === 0 ? "" : `, and ${more.length} more`;
    return `${first.config.name} of pod ${namespace}/${name} waits for room for its log: ${blockedLogs.failure(first.id)}${others}`;
  }

  /** Oldest first. */
  ofSandbox(sandboxId: SandboxId): ContainerRecord[] {
    return this.#context.bySandbox.get(sandboxId).filter((container) => container.state !== "planned");
  }

  /** @throws AgentError not-found */
  get(id: ContainerId): ContainerRecord {
    const container = this.#context.records.get(id);
    if (container === undefined || container.state === "planned")
      throw new AgentError("not-found", `find container: no container has id ${id}`);
    return container;
  }
}
