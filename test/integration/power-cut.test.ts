// What of the records is on the disk, and so is there after a power cut.
import test, { type ExecutionContext } from "ava";
import { Store } from "../../src/store/store.ts";
import { SmallDisk } from "../lib/small-disk.ts";
import { shared } from "../lib/teardown.ts";

const DISK_MEBIBYTES = 40;
// The kernel may write what is not synced at any time, and somebody else may sync the whole machine.
const MOST_TRIES = 20;

interface Item {
  readonly id: string;
}

const disk = shared(test, async (t) => SmallDisk.ext4(t, DISK_MEBIBYTES));

async function open(t: ExecutionContext, root: string) {
  const store = await Store.open(root);
  t.teardown(() => store.close());
  return { store, items: store.collection<Item>("item") };
}

/** Ids of what is there when the power goes now. */
async function afterPowerCut(t: ExecutionContext): Promise<string[]> {
  const { items } = await open(t, disk().afterPowerCut(t).path);
  return [...items.values()].map(({ id }) => id).sort();
}

test("a commit is on the disk when it is done, with all that came ahead of it and beside it", async (t) => {
  const { store, items } = await open(t, disk().path);
  await store.commitNewAhead(items.put({ id: "planned" }));
  await store.commitNewAhead(items.put({ id: "undone" }));
  await store.commitAhead(items.delete("undone"));
  const committed = [store.commitAhead(items.put({ id: "beside" })), store.commit(items.put({ id: "committed" }))];
  await Promise.all(committed);
  t.deepEqual(await afterPowerCut(t), ["beside", "committed", "planned"]);
});

test("what is committed ahead is published without a wait for the disk, and loses what came before it to no power cut", async (t) => {
  const { store, items } = await open(t, disk().path);
  await store.commit(...[...items.values()].map(({ id }) => items.delete(id)), items.put({ id: "committed" }));
  let left: string[] = [];
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    await store.commitAhead(items.put({ id: `ahead ${tries}` }));
    t.deepEqual(items.get(`ahead ${tries}`), { id: `ahead ${tries}` });
    left = await afterPowerCut(t);
    t.true(left.includes("committed"));
    if (!left.includes(`ahead ${tries}`)) return;
  }
  t.fail(`each was on the disk at once: ${left.join(", ")}`);
});
