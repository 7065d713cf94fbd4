// The thread that owns the database. Here, and not on the main thread, because a busy disk would stall
// every call for the length of an fsync.
import { rmSync } from "node:fs";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { parentPort } from "node:worker_threads";
import { messageOf } from "../base/errors.ts";
import { migrate } from "./migrations.ts";
import type { CommitFailure, Row, RowChange, RowCommit, WorkerReply, WorkerRequest } from "./messages.ts";
import { Reserve, takeUpLog } from "./reserve.ts";

const BUSY_TIMEOUT_MS = 5000;

// @source sqlite3.h: SQLITE_FULL
const SQLITE_FULL = 13;
// Of a row itself, and its part of the pages above it; and a text may end in the middle of a page.
const ROW_BYTES = 8192;

class RecordDatabase {
  readonly #database: DatabaseSync;
  readonly #reserve: Reserve;
  readonly #put: StatementSync;
  readonly #delete: StatementSync;
  #isSynced: boolean | undefined;

  constructor(path: string) {
    takeUpLog(path);
    this.#database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
    // EXCLUSIVE comes first: then the log's index is in memory, and no file of it needs room.
    this.#database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;");
    this.#sync(true);
    migrate(this.#database);
    // Of a Berth that had the log's index in a file and was killed; nobody but us has the database now.
    rmSync(`${path}-shm`, { force: true });
    this.#reserve = new Reserve(this.#database, path);
    // On a disk that is full already it is made with the first thing that is new again.
    this.#reserve.problem(0);
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

  /** In one transaction, so that they share a sync; on a full disk each in its own, so that a large one takes no small one along. */
  commit(commits: readonly RowCommit[]): (CommitFailure | undefined)[] {
    const fresh = commits.filter(({ isNew }) => isNew);
    const problem = fresh.length === 0 ? undefined : this.#reserve.problem(sizeOf(fresh));
    const refused = ({ isNew }: RowCommit): boolean => isNew && problem !== undefined;
    const taken = commits.filter((each) => !refused(each));
    const together = this.#transact(
      taken.flatMap(({ rows }) => rows),
      taken.some(({ isSynced }) => isSynced),
    );
    // After a sync that failed nobody knows what of the log is on the disk, also of what was not synced before: it begins anew.
    if (together !== undefined) this.#reserve.emptyLog();
    return commits.map((each) => {
      if (refused(each)) return { message: problem ?? "", isFull: true };
      return together?.isFull === true ? this.#transact(each.rows, each.isSynced) : together;
    });
  }

  close(): void {
    this.#reserve.close();
  }

  /**
   * Whether the next commits wait until the log is on the disk. All else is as safe without: the log's beginning is synced when it is
   * written, and a checkpoint syncs the log before and the database after.
   *
   * @source sqlite.org, pragma.html#pragma_synchronous: NORMAL and FULL in WAL mode
   */
  #sync(isSynced: boolean): void {
    if (this.#isSynced === isSynced) return;
    this.#database.exec(`PRAGMA synchronous = ${isSynced ? "FULL" : "NORMAL"}`);
    this.#isSynced = isSynced;
  }

  #transact(rows: readonly RowChange[], isSynced: boolean): CommitFailure | undefined {
    if (rows.length === 0) return undefined;
    try {
      this.#sync(isSynced);
      this.#database.exec("BEGIN IMMEDIATE");
      for (const { kind, id, text } of rows) {
        if (text === undefined) this.#delete.run(kind, id);
        else this.#put.run(kind, id, text);
      }
      this.#database.exec("COMMIT");
      return undefined;
    } catch (failure) {
      // A failed COMMIT has rolled back by itself in some cases (a full disk); then there is nothing left to undo.
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      return { message: messageOf(failure), isFull: failure instanceof Error && "errcode" in failure && failure.errcode === SQLITE_FULL };
    }
  }
}

const sizeOf = (commits: readonly RowCommit[]): number =>
  commits.flatMap(({ rows }) => rows).reduce((bytes, { id, text }) => bytes + ROW_BYTES + id.length + Buffer.byteLength(text ?? ""), 0);

let database: RecordDatabase | undefined;

function answer(request: WorkerRequest): WorkerReply {
  if (request.type === "open") {
    database = new RecordDatabase(request.path);
    return { type: "opened", rows: database.rows() };
  }
  if (database === undefined) return { type: "failed", message: "the database is not open" };
  if (request.type === "commit") return { type: "committed", failures: database.commit(request.commits) };
  database.close();
  return { type: "closed" };
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
