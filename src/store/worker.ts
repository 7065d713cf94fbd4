// The thread that owns the database. Here, and not on the main thread, because a busy disk would stall
// every call for the length of an fsync.
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { parentPort } from "node:worker_threads";
import { messageOf } from "../base/errors.ts";
import { migrate } from "./migrations.ts";
import type { Row, RowChange, WorkerReply, WorkerRequest } from "./messages.ts";

const BUSY_TIMEOUT_MS = 5000;

class RecordDatabase {
  readonly #database: DatabaseSync;
  readonly #put: StatementSync;
  readonly #delete: StatementSync;

  constructor(path: string) {
    this.#database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
    // FULL syncs the log at every commit: what was answered survives a power cut.
    this.#database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA locking_mode = EXCLUSIVE;");
    migrate(this.#database);
    this.#put = this.#database.prepare(
      "INSERT INTO records (kind, id, body) VALUES (?, ?, ?) ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body",
    );
    this.#delete = this.#database.prepare("DELETE FROM records WHERE kind = ? AND id = ?");
  }

  rows(): Row[] {
    return this.#database
      .prepare("SELECT kind, id, body FROM records")
      .all()
      .map((row) => ({ kind: String(row["kind"]), id: String(row["id"]), text: String(row["body"]) }));
  }

  commit(changes: readonly RowChange[]): void {
    this.#database.exec("BEGIN IMMEDIATE");
    try {
      for (const { kind, id, text } of changes) {
        if (text === undefined) this.#delete.run(kind, id);
        else this.#put.run(kind, id, text);
      }
      this.#database.exec("COMMIT");
    } catch (failure) {
      // A failed COMMIT has rolled back by itself in some cases (a full disk); then there is nothing left to undo.
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw failure;
    }
  }

  close(): void {
    this.#database.close();
  }
}

let database: RecordDatabase | undefined;

function answer(request: WorkerRequest): WorkerReply {
  if (request.type === "open") {
    database = new RecordDatabase(request.path);
    return { type: "opened", rows: database.rows() };
  }
  if (database === undefined) return { type: "failed", message: "the database is not open" };
  if (request.type === "commit") database.commit(request.changes);
  else database.close();
  return { type: "done" };
}

parentPort?.on("message", (request: WorkerRequest) => {
  let reply: WorkerReply;
  try {
    reply = answer(request);
  } catch (failure) {
    reply = { type: "failed", message: messageOf(failure) };
  }
  parentPort?.postMessage(reply);
});
