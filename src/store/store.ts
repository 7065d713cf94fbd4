// Crash-safe records. A change is computed, committed in one durable transaction, and only then published in
// memory; readers never see what a crash could take back. Commits that come while one is being written share the
// next fsync.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { AgentError, messageOf } from "../base/errors.ts";
import type { Change } from "./change.ts";
import { Collection } from "./collection.ts";
import type { Row, WorkerReply, WorkerRequest } from "./messages.ts";

interface PendingCommit {
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
   * Makes the changes durable, all or none, then publishes them.
   *
   * @throws AgentError resource-exhausted when the disk is full, unavailable when the database failed; nothing was published
   */
  commit(...changes: readonly Change[]): Promise<void> {
    if (this.#closing) return Promise.reject(new AgentError("unavailable", "commit records: the store is closed"));
    return new Promise((resolve, reject) => {
      this.#pending.push({ changes, resolve, reject });
      this.#writing ??= this.#write();
    });
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

  async #write(): Promise<void> {
    while (this.#pending.length > 0) {
      const batch = this.#pending;
      this.#pending = [];
      try {
        const reply = await this.#ask({ type: "commit", changes: batch.flatMap((commit) => commit.changes.map((change) => change.row)) });
        if (reply.type === "failed") throw asCommitError(reply.message);
        for (const commit of batch) {
          for (const change of commit.changes) change.publish();
          commit.resolve();
        }
      } catch (failure) {
        for (const commit of batch) commit.reject(failure instanceof AgentError ? failure : asCommitError(messageOf(failure)));
      }
    }
    this.#writing = undefined;
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

function asCommitError(message: string): AgentError {
  const full = /disk is full|SQLITE_FULL|ENOSPC/i.test(message);
  return new AgentError(full ? "resource-exhausted" : "unavailable", `commit records: ${message}`);
}
