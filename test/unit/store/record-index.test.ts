import test from "ava";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Store } from "../../../src/store/store.ts";

interface Item {
  readonly id: string;
  readonly owner: string;
  readonly at: bigint;
}

test("records are found by what they have in common, as they were last committed, until they are gone", async (t) => {
  const root = await mkdtemp(join(tmpdir(), "berth-store-"));
  t.teardown(() => rm(root, { recursive: true, force: true }));
  const first = await Store.open(root);
  await first.commit(first.collection<Item>("item").put({ id: "of before", owner: "x", at: 0n }));
  await first.close();
  const store = await Store.open(root);
  t.teardown(() => store.close());
  const items = store.collection<Item>("item");
  const byOwner = items.indexBy(({ owner }) => owner);
  const ofX = (): string[] => byOwner.get("x").map(({ id, at }) => `${id} ${at}`);
  t.deepEqual(ofX(), ["of before 0"]);

  const committing = store.commit(items.put({ id: "a", owner: "x", at: 1n }), items.put({ id: "b", owner: "y", at: 1n }));
  t.deepEqual(ofX(), ["of before 0"], "it is not durable yet");
  await committing;
  await store.commit(items.put({ id: "of before", owner: "x", at: 2n }));
  t.deepEqual(ofX(), ["of before 2", "a 1"], "in the order in which they came");

  await store.commit(items.put({ id: "a", owner: "y", at: 2n }), items.delete("of before"), items.delete("never there"));
  t.deepEqual(ofX(), []);
  t.deepEqual(
    byOwner.get("y").map(({ id }) => id),
    ["b", "a"],
  );
});
