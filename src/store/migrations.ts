// The database's versions. A step is never changed once released; a new one is added below it. A change of what is in a record needs
// one too, an empty one if need be, where an older Berth would misread it: fields that it does not know it keeps.
import type { DatabaseSync } from "node:sqlite";

const STEPS: readonly string[] = [
  "CREATE TABLE records (kind TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, id)) WITHOUT ROWID, STRICT",
];

/** Brings the database to the newest version, all steps in one transaction. @throws when it is newer than this program */
export function migrate(database: DatabaseSync): void {
  const version = Number(database.prepare("PRAGMA user_version").get()?.["user_version"] ?? 0);
  if (version > STEPS.length) {
    throw new Error(`they are of version ${version}, of a newer Berth, and this one knows up to ${STEPS.length}: install that again`);
  }
  if (version === STEPS.length) return;
  database.exec("BEGIN IMMEDIATE");
  for (const step of STEPS.slice(version)) database.exec(step);
  database.exec(`PRAGMA user_version = ${STEPS.length}`);
  database.exec("COMMIT");
}
