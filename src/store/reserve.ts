// What lets stops, exits and removals be recorded on a full disk: blocks that the database has already. Its log never becomes
// shorter, and its file has free pages, so that a commit and a checkpoint only overwrite. Nothing is given back to be taken
// again, which another writer could win. The thread of the store uses this; nobody else may open these files.
import { randomBytes } from "node:crypto";
import { closeSync, existsSync, fsyncSync, fstatSync, linkSync, openSync, renameSync, rmSync, statfsSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { messageOf } from "../base/errors.ts";

const LOG_BYTES = 4 * 1024 * 1024;
// A checkpoint empties the log long before its end, so that there is room for the largest commit.
const CHECKPOINT_PAGES = 400;
const FREE_PAGES = 256;
const FEWEST_FREE_PAGES = 128;
/** Below this, nothing new is recorded: what it would go on to make needs room too. */
const LEAST_FREE_BYTES = 16 * 1024 * 1024;
const LEAST_FREE_INODES = 256;
// What SQLite reads as an empty log, and a header's length.
const LOG_HEADER = Buffer.alloc(32);

/** Brings back the log that the last orderly end put aside. Before the database is opened. */
export function takeUpLog(databasePath: string): void {
  const { log, aside } = logPaths(databasePath);
  if (!existsSync(aside)) return;
  // With a log beside it the end did not come to its end: the log has the newest commits, and is the same file.
  if (existsSync(log)) {
    rmSync(aside);
    return;
  }
  // SQLite takes its log away when all of it is in the database: what is left is not to be read again.
  const file = openSync(aside, "r+");
  writeSync(file, LOG_HEADER, 0, LOG_HEADER.length, 0);
  fsyncSync(file);
  closeSync(file);
  renameSync(aside, log);
}

export class Reserve {
  readonly #database: DatabaseSync;
  readonly #databasePath: string;
  readonly #freePages: StatementSync;
  readonly #pageBytes: number;
  #hasLog = false;

  constructor(database: DatabaseSync, databasePath: string) {
    this.#database = database;
    this.#databasePath = databasePath;
    this.#freePages = database.prepare("PRAGMA freelist_count");
    this.#pageBytes = Number(database.prepare("PRAGMA page_size").get()?.["page_size"]);
    database.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}; PRAGMA journal_size_limit = ${LOG_BYTES}`);
  }

  /**
   * Makes the reserve whole, where there is room for it.
   *
   * @param newBytes that are to be recorded, and must not come out of the reserve
   * @returns why that can't be
   */
  problem(newBytes: number): string | undefined {
    const folder = dirname(this.#databasePath);
    const { bavail, bsize, files, ffree } = statfsSync(folder);
    const freeBytes = bavail * bsize;
    // Twice into the log and once into the database, with something over.
    const leastBytes = LEAST_FREE_BYTES + 4 * newBytes;
    if (freeBytes < leastBytes) return tooLittle(folder, `${freeBytes} bytes`, leastBytes);
    // Some file systems have as many as they need, and say 0 of 0.
    if (files > 0 && ffree < LEAST_FREE_INODES) return tooLittle(folder, `${ffree} inodes`, LEAST_FREE_INODES);
    try {
      this.#fill(newBytes);
      return undefined;
    } catch (failure) {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      return `no room can be reserved for records in ${folder}: ${messageOf(failure)}`;
    }
  }

  /** So that all of the log is there for the next commit. */
  emptyLog(): void {
    try {
      this.#checkpoint();
    } catch {
      // The next commit says what is wrong.
    }
  }

  /** Ends the database, and keeps the blocks of its log. */
  close(): void {
    const { log, aside } = logPaths(this.#databasePath);
    rmSync(aside, { force: true });
    if (existsSync(log)) linkSync(log, aside);
    this.#database.close();
    takeUpLog(this.#databasePath);
  }

  #checkpoint(): void {
    this.#database.exec("PRAGMA wal_checkpoint(RESTART)");
  }

  #fill(newBytes: number): void {
    const newPages = Math.ceil(newBytes / this.#pageBytes);
    if (Number(this.#freePages.get()?.["freelist_count"]) < FEWEST_FREE_PAGES + newPages) {
      const bytes = (FREE_PAGES + newPages) * this.#pageBytes;
      this.#database.exec(
        `BEGIN IMMEDIATE; CREATE TABLE reserve (filler BLOB); INSERT INTO reserve VALUES (zeroblob(${bytes})); DROP TABLE reserve; COMMIT`,
      );
      // The file grows now, and not when the disk may be full.
      this.#checkpoint();
    }
    if (!this.#hasLog) lengthenLog(logPaths(this.#databasePath).log);
    this.#hasLog = true;
  }
}

const tooLittle = (folder: string, free: string, least: number): string =>
  `the file system of ${folder} has ${free} free, and anything new needs ${least}; what is there can be stopped and removed`;

const logPaths = (databasePath: string) => ({ log: `${databasePath}-wal`, aside: `${databasePath}-wal.aside` });

/** SQLite reads nothing behind the last commit in its log. */
function lengthenLog(path: string): void {
  const file = openSync(path, "a");
  try {
    const { size } = fstatSync(file);
    if (size >= LOG_BYTES) return;
    // Not zeros: a file system that compresses would keep no blocks for them.
    writeSync(file, randomBytes(LOG_BYTES - size));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
