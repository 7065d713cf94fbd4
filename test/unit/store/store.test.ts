import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { copyFile, link, mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import test, { type ExecutionContext } from "ava";
import { kindOf } from "../../../src/base/errors.ts";
import { Store } from "../../../src/store/store.ts";

interface Item {
  readonly id: string;
  readonly at: bigint;
  readonly bytes?: Uint8Array;
}

interface Step {
  readonly id: string;
  readonly from: bigint;
  readonly to: bigint;
}

async function folder(t: ExecutionContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "berth-store-"));
  t.teardown(() => rm(path, { recursive: true, force: true }));
  return path;
}

test("what was committed is there after a new start, times past 2^53 and bytes exactly", async (t) => {
  const root = await folder(t);
  const item: Item = { id: "a", at: 2n ** 62n + 1n, bytes: Buffer.from([0, 255]) };
  const first = await Store.open(root);
  await first.commit(first.collection<Item>("item").put(item));
  await first.close();
  const second = await Store.open(root);
  t.deepEqual(second.collection<Item>("item").get("a"), item);
  await second.close();
});

test("a change is published only when it is durable", async (t) => {
  const store = await Store.open(await folder(t));
  const items = store.collection<Item>("item");
  const committing = store.commit(items.put({ id: "a", at: 1n }));
  t.is(items.get("a"), undefined);
  await committing;
  t.like(items.get("a"), { at: 1n });
  await store.close();
});

test("a kill loses nothing, whether it was synced or not", async (t) => {
  const root = await folder(t);
  const source = new URL("../../../src/store/store.ts", import.meta.url).href;
  const script = `
    const { Store } = await import(${JSON.stringify(source)});
    const store = await Store.open(${JSON.stringify(root)});
    const items = store.collection("item");
    await store.commitNewAhead(items.put({ id: "new", at: 1n }), items.put({ id: "changed", at: 1n }));
    await store.commit(items.put({ id: "changed", at: 2n }));
    await store.commitAhead(items.put({ id: "changed", at: 3n }), items.delete("new"));
    await store.commitNewAhead(items.put({ id: "last", at: 4n }));
    process.kill(process.pid, "SIGKILL");`;
  const { signal, stderr } = spawnSync(process.execPath, ["--eval", script], { encoding: "utf8" });
  t.is(signal, "SIGKILL", stderr);
  const store = await Store.open(root);
  t.deepEqual(
    [...store.collection<Item>("item").values()],
    [
      { id: "changed", at: 3n },
      { id: "last", at: 4n },
    ],
  );
  await store.close();
});

test("the changes of one commit come or stay away together", async (t) => {
  const root = await folder(t);
  const store = await Store.open(root);
  const items = store.collection<Item>("item");
  await store.commit(items.put({ id: "a", at: 1n }), items.put({ id: "b", at: 2n }));
  await store.commit(items.delete("a"), items.put({ id: "c", at: 3n }));
  await store.close();
  const again = await Store.open(root);
  t.deepEqual([...again.collection<Item>("item").values()].map((item) => item.id).sort(), ["b", "c"]);
  await again.close();
});

test("commits asked for at once all succeed", async (t) => {
  const store = await Store.open(await folder(t));
  const items = store.collection<Item>("item");
  await Promise.all(Array.from({ length: 200 }, (_, index) => store.commit(items.put({ id: String(index), at: BigInt(index) }))));
  t.is(items.size, 200);
  await store.close();
});

test("a second process on the same root is refused", async (t) => {
  const root = await folder(t);
  const store = await Store.open(root);
  await store.commit(store.collection<Item>("item").put({ id: "a", at: 1n }));
  const error = await t.throwsAsync(Store.open(root));
  t.is(kindOf(error), "unavailable");
  await store.close();
});

test("records of a newer Berth are refused in words, and stay as they are", async (t) => {
  const root = await folder(t);
  const store = await Store.open(root);
  await store.commit(store.collection<Item>("item").put({ id: "a", at: 1n }));
  await store.close();
  const versionOf = (change?: number): unknown => {
    const database = new DatabaseSync(join(root, "records.db"));
    if (change !== undefined) database.exec(`PRAGMA user_version = ${change}`);
    const found = database.prepare("PRAGMA user_version").get()?.["user_version"];
    database.close();
    return found;
  };
  const version = versionOf(99);
  const error = await t.throwsAsync(Store.open(root));
  t.is(kindOf(error), "unavailable");
  t.regex(
    error?.message ?? "",
    /^open records in \S+: they are of version 99, of a newer Berth, and this one knows up to 1: install that again$/,
  );
  t.is(versionOf(), version);
  versionOf(1);
  const again = await Store.open(root);
  t.like(again.collection<Item>("item").get("a"), { at: 1n });
  await again.close();
});

test("fields that this build does not know stay in a record that it changes", async (t) => {
  const root = await folder(t);
  const newer = await Store.open(root);
  await newer.commit(newer.collection<Item & { later: string }>("item").put({ id: "a", at: 1n, later: "kept" }));
  await newer.close();
  const older = await Store.open(root);
  const items = older.collection<Item>("item");
  const found = items.get("a");
  if (found !== undefined) await older.commit(items.put({ ...found, at: 2n }));
  await older.close();
  const again = await Store.open(root);
  t.deepEqual(again.collection<Item>("item").get("a"), { id: "a", at: 2n, later: "kept" } as Item);
  await again.close();
});

test("what was asked for before the end is written, and what comes later is refused at once", async (t) => {
  const root = await folder(t);
  const store = await Store.open(root);
  const items = store.collection<Item>("item");
  const asked = [store.commit(items.put({ id: "a", at: 1n })), store.commit(items.put({ id: "b", at: 2n }))];
  const closed = store.close();
  t.is(kindOf(await t.throwsAsync(store.commit(items.put({ id: "c", at: 3n })))), "unavailable");
  await Promise.all([...asked, closed]);
  const again = await Store.open(root);
  t.deepEqual([...again.collection<Item>("item").values()].map((item) => item.id).sort(), ["a", "b"]);
  await again.close();
});

test("what goes along with a change is recorded with it, and is told what was before", async (t) => {
  const root = await folder(t);
  const store = await Store.open(root);
  const [items, steps] = [store.collection<Item>("item"), store.collection<Step>("step")];
  items.accompany((before, after) => [steps.put({ id: `${steps.size}`, from: before?.at ?? 0n, to: after?.at ?? 0n })]);
  // Asked for at the same time: the later ones still see what the first has made of it.
  await Promise.all([
    store.commit(items.put({ id: "a", at: 1n })),
    store.commit(items.put({ id: "a", at: 2n })),
    store.commit(items.delete("a")),
  ]);
  await store.close();
  const again = await Store.open(root);
  t.deepEqual(
    [...again.collection<Step>("step").values()],
    [
      { id: "0", from: 0n, to: 1n },
      { id: "1", from: 1n, to: 2n },
      { id: "2", from: 2n, to: 0n },
    ],
  );
  await again.close();
});

const LOG_BYTES = 4 * 1024 * 1024;
const [DATABASE, LOG, ASIDE] = ["records.db", "records.db-wal", "records.db-wal.aside"];

test("the blocks of the log are kept from one start to the next", async (t) => {
  const root = await folder(t);
  const blocks = async (): Promise<unknown> => {
    const { size, ino } = await stat(join(root, LOG));
    return { size, ino };
  };
  const store = await Store.open(root);
  const before = await blocks();
  t.like(before, { size: LOG_BYTES });
  await store.commit(store.collection<Item>("item").put({ id: "a", at: 1n }));
  await store.close();
  const again = await Store.open(root);
  t.deepEqual(await blocks(), before);
  await again.close();
});

test("an end that is cut off before the database's own end loses nothing", async (t) => {
  const [root, copy] = [await folder(t), await folder(t)];
  const store = await Store.open(root);
  await store.commit(store.collection<Item>("item").put({ id: "a", at: 1n }));
  for (const file of [DATABASE, LOG]) await copyFile(join(root, file), join(copy, file));
  await link(join(copy, LOG), join(copy, ASIDE));
  await store.close();
  const again = await Store.open(copy);
  t.like(again.collection<Item>("item").get("a"), { at: 1n });
  t.false(existsSync(join(copy, ASIDE)));
  await again.close();
});

test("an end that is cut off after the database's own end brings no old record back", async (t) => {
  const [root, copy] = [await folder(t), await folder(t)];
  const store = await Store.open(root);
  const items = store.collection<Item>("item");
  await store.commit(items.put({ id: "a", at: 1n }));
  await copyFile(join(root, LOG), join(copy, ASIDE));
  await store.commit(items.put({ id: "a", at: 2n }));
  await store.close();
  await copyFile(join(root, DATABASE), join(copy, DATABASE));
  const again = await Store.open(copy);
  t.like(again.collection<Item>("item").get("a"), { at: 2n });
  t.is((await stat(join(copy, LOG))).size, LOG_BYTES);
  await again.close();
});
