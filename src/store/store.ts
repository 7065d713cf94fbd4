// Crash-safe records. A change is computed, committed in one transaction, and only then published in memory; readers never see what a
// crash of berthd could take back. A power cut takes back nothing whose commit was synced, and nothing that was committed before that:
// the log is written in order. Commits that come while one is being written share the next sync.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { AgentError, messageOf } from "../base/errors.ts";
import { failpoint } from "../base/failpoint.ts";
import type { Change } from "./change.ts";
import { Collection } from "./collection.ts";
import type { CommitFailure, CommitOptions, Row, RowChange, WorkerReply, WorkerRequest } from "./messages.ts";

interface PendingCommit extends CommitOptions {
  readonly changes: readonly Change[];
  readonly resolve: () => void;
  readonly reject: (failure: Error) => void;
}

export class Store {
  readonly #worker: Worker;
  readonly #rows = new Map<string, Row[]>();
  #pending: PendingCommit[] = [];
  #writing: Promise<void> | undefined;
  #closing = false;
  #waiter: { resolve: (reply: WorkerReply) => void; reject: (failure: Error) => void } | undefined;
  #dead: Error | undefined;

  private constructor(worker: Worker) {
    this.#worker = worker;
    worker.on("message", (reply: WorkerReply) => this.#waiter?.resolve(reply));
    worker.on("error", (failure) => this.#die(failure));
    worker.on("exit", () => this.#die(new Error("the store's thread ended")));
  }

  /** Opens `<root>/records.db`, making it on first use. @throws AgentError unavailable when another process holds it */
  static async open(root: string, workerUrl = new URL("./worker.ts", import.meta.url)): Promise<Store> {
    await mkdir(root, { recursive: true, mode: 0o700 });
    const worker = new Worker(workerUrl, { stdin: false });
    const store = new Store(worker);
    const reply = await store.#ask({ type: "open", path: join(root, "records.db") });
    if (reply.type !== "opened") {
      // A thread that waits for requests would keep the process alive.
      await worker.terminate();
      throw new AgentError("unavailable", `open records in ${root}: ${reply.type === "failed" ? reply.message : reply.type}`);
    }
    for (const row of reply.rows) {
      const rows = store.#rows.get(row.kind);
      if (rows === undefined) store.#rows.set(row.kind, [row]);
      else rows.push(row);
    }
    return store;
  }

  /** The records of one kind; each kind is taken once, by the module that owns it. */
  collection<T extends { readonly id: string }>(kind: string): Collection<T> {
    const rows = this.#rows.get(kind) ?? [];
    this.#rows.delete(kind);
    return new Collection<T>(kind, rows);
  }

  /**
   * Makes the changes durable, all or none, then publishes them. On a full disk too, from the reserve: for what changes, ends or
   * goes away.
   *
   * @throws AgentError resource-exhausted when the reserve is not enough, unavailable when the database failed; nothing was published
   */
  commit(...changes: readonly Change[]): Promise<void> {
    return this.#commit(changes, { isNew: false, isSynced: true });
  }

  /** The same for something new. @throws AgentError resource-exhausted when the disk has no room for it */
  commitNew(...changes: readonly Change[]): Promise<void> {
    return this.#commit(changes, { isNew: true, isSynced: true });
  }

  /**
   * Writes the changes, all or none, then publishes them, and does not wait for the disk. A killed process loses nothing of it: it is in
   * the kernel's hands. A power cut may, until the next commit that is synced takes it to the disk. For what comes ahead of such a
   * commit and is answered by it alone, where all that it speaks of ends with the power too, or is a file that the audit takes for
   * nobody's.
   *
   * @throws AgentError as `commit`
   */
  commitAhead(...changes: readonly Change[]): Promise<void> {
    return this.#commit(changes, { isNew: false, isSynced: false });
  }

  /** The same for something new. @throws AgentError resource-exhausted when the disk has no room for it */
  commitNewAhead(...changes: readonly Change[]): Promise<void> {
    return this.#commit(changes, { isNew: true, isSynced: false });
  }

  /** Before something new is begun that is recorded only when it is done. @throws AgentError resource-exhausted */
  requireRoom(): Promise<void> {
    return this.#commit([], { isNew: true, isSynced: false });
  }

  /** Ends after the commits that were asked for before. */
  async close(): Promise<void> {
    this.#closing = true;
    // One question at a time: the thread has one answer at a time.
    await this.#writing;
    await this.#ask({ type: "close" });
    this.#dead = new Error("the store is closed");
    await this.#worker.terminate();
  }

  #commit(changes: readonly Change[], options: CommitOptions): Promise<void> {
    if (this.#closing) return Promise.reject(new AgentError("unavailable", "commit records: the store is closed"));
    return new Promise((resolve, reject) => {
      this.#pending.push({ ...options, changes, resolve, reject });
      this.#writing ??= this.#write();
    });
  }

  async #write(): Promise<void> {
    while (this.#pending.length > 0) {
      const batch = this.#takeBatch();
      passBy("commit", batch);
      const failures = await this.#writeBatch(batch);
      passBy("committed", batch);
      for (const [index, { changes, resolve, reject }] of batch.entries()) {
        const failure = failures[index];
        if (failure !== undefined) {
          reject(new AgentError(failure.isFull ? "resource-exhausted" : "unavailable", `commit records: ${failure.message}`));
          continue;
        }
        for (const change of changes) change.publish();
        resolve();
      }
    }
    this.#writing = undefined;
  }

  /** Those that come next. Two changes of one record are written one after the other: what goes along depends on what was before. */
  #takeBatch(): readonly PendingCommit[] {
    const taken = new Set<string>();
    const isTaken = ({ changes }: PendingCommit): boolean => changes.some(({ row }) => taken.has(nameOf(row)));
    const batch: PendingCommit[] = [];
    for (let next = this.#pending[0]; next !== undefined && !isTaken(next); next = this.#pending[0]) {
      this.#pending.shift();
      for (const { row } of next.changes) taken.add(nameOf(row));
      batch.push({ ...next, changes: next.changes.flatMap((change) => [change, ...(change.along?.() ?? [])]) });
    }
    return batch;
  }

  /** @returns what became of each, in their order */
  async #writeBatch(batch: readonly PendingCommit[]): Promise<readonly (CommitFailure | undefined)[]> {
    const all = (message: string): CommitFailure[] => batch.map(() => ({ message, isFull: false }));
    const commits = batch.map(({ changes, isNew, isSynced }) => ({ rows: changes.map(({ row }) => row), isNew, isSynced }));
    try {
      const reply = await this.#ask({ type: "commit", commits });
      return reply.type === "committed" ? reply.failures : all(reply.type === "failed" ? reply.message : reply.type);
    } catch (failure) {
      return all(messageOf(failure));
    }
  }

  #ask(request: WorkerRequest): Promise<WorkerReply> {
    return new Promise((resolve, reject) => {
      if (this.#dead !== undefined) return reject(this.#dead);
      this.#waiter = { resolve, reject };
      this.#worker.postMessage(request);
    });
  }

  #die(failure: Error): void {
    this.#dead ??= failure;
    this.#waiter?.reject(failure);
  }
}

const nameOf = ({ kind, id }: RowChange): string => `${kind} ${id}`;

function passBy(moment: "commit" | "committed", batch: readonly PendingCommit[]): void {
  for (const { changes } of batch) for (const { row } of changes) failpoint(`${moment} ${row.kind}`);
}
