import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { silentLog } from "../../../../src/base/log.ts";
import { Compression } from "../../../../src/generated/berth/native/helper.ts";
import type { LayerRef } from "../../../../src/image/records.ts";
import { SnapshotStore } from "../../../../src/image/snapshot/snapshot-store.ts";
import { Store } from "../../../../src/store/store.ts";
import { FakeHelper } from "../../../lib/fake-helper.ts";
import { never, temporaryFolder } from "../../../lib/image-service.ts";
import { sha256 } from "../../../lib/oci-image.ts";

const TAR = Buffer.from("not quite a tar");
const layer: LayerRef = { digest: sha256(TAR), diffId: sha256(TAR), chainId: `sha256:${"c".repeat(64)}` };

class Place {
  readonly root: string;
  readonly helper = new FakeHelper();
  #store: Store | undefined;
  #snapshots: SnapshotStore | undefined;

  constructor(root: string) {
    this.root = root;
  }

  static async make(t: ExecutionContext): Promise<Place> {
    const place = new Place(await temporaryFolder(t));
    await writeFile(join(place.root, "blob"), TAR);
    await place.open();
    t.teardown(() => place.close());
    return place;
  }

  get snapshots(): SnapshotStore {
    if (this.#snapshots === undefined) throw new Error("not open");
    return this.#snapshots;
  }

  async open(): Promise<void> {
    this.#store = await Store.open(this.root);
    this.#snapshots = await SnapshotStore.open({ root: this.root, store: this.#store, helper: this.helper, log: silentLog });
  }

  async close(): Promise<void> {
    const store = this.#store;
    this.#store = undefined;
    await store?.close();
  }

  async prepare(of: LayerRef = layer): Promise<void> {
    await this.snapshots.prepare(of, Compression.COMPRESSION_NONE, never, (unpack) => unpack(join(this.root, "blob")));
  }

  async folders(): Promise<string[]> {
    return (await readdir(join(this.root, "snapshots"))).sort();
  }

  states(): string[] {
    return [...this.snapshots.snapshots()].map(({ number, state }) => `${number} ${state}`);
  }
}

test("a layer is unpacked into a folder with a short name, once", async (t) => {
  const place = await Place.make(t);
  await Promise.all([place.prepare(), place.prepare()]);
  await place.prepare();
  t.is(place.helper.unpacked.length, 1);
  t.is(place.snapshots.name(layer.chainId), "1");
  t.deepEqual(await place.folders(), ["1"]);
  t.like([...place.snapshots.snapshots()][0], { state: "committed", sizeBytes: BigInt(TAR.length), inodes: 2n });
});

test("the record stands before the folder is made", async (t) => {
  const place = await Place.make(t);
  t.plan(1);
  place.helper.beforeUnpack = async () => {
    t.deepEqual([place.states(), await place.folders()], [["1 preparing"], []]);
  };
  await place.prepare();
});

test("a layer that is not what the config says is taken away again", async (t) => {
  const place = await Place.make(t);
  const failure = await t.throwsAsync(place.prepare({ ...layer, diffId: sha256(Buffer.from("other")) }));
  t.like(failure, { kind: "invalid-argument" });
  t.deepEqual([place.states(), await place.folders()], [[], []]);
});

test("who waited for an unpacking that failed does it himself", async (t) => {
  const place = await Place.make(t);
  let tries = 0;
  place.helper.beforeUnpack = async () => {
    if (++tries === 1) throw new Error("no");
  };
  const [first, second] = await Promise.allSettled([place.prepare(), place.prepare()]);
  t.deepEqual([first?.status, second?.status], ["rejected", "fulfilled"]);
  t.true(place.snapshots.has(layer.chainId));
});

test("half a layer that a crash left is cleared away at the next start", async (t) => {
  const place = await Place.make(t);
  let unpacking = (): void => {};
  const begun = new Promise<void>((resolve) => {
    unpacking = resolve;
  });
  place.helper.beforeUnpack = async ({ targetDir }) => {
    await mkdir(targetDir, { recursive: true });
    unpacking();
    await new Promise(() => {});
  };
  void place.prepare();
  await begun;
  await place.close();
  await place.open();
  t.deepEqual([place.states(), await place.folders()], [[], []]);
});

test("a layer that was being removed at a crash is never taken for a whole one", async (t) => {
  const place = await Place.make(t);
  await place.prepare();
  place.helper.beforeRemove = async () => {
    throw new Error("the power went");
  };
  await t.throwsAsync(place.snapshots.remove(layer.chainId, () => false));
  t.false(place.snapshots.has(layer.chainId));
  await place.close();
  await place.open();
  t.deepEqual(place.states(), ["1 removing"], "a start does not fail for it");
  place.helper.beforeRemove = async () => {};
  await place.prepare();
  t.deepEqual([place.states(), await place.folders()], [["2 committed"], ["2"]]);
});

test("a layer whose folder somebody took away is not there", async (t) => {
  const place = await Place.make(t);
  await place.prepare();
  await rm(join(place.root, "snapshots/1"), { recursive: true });
  await place.close();
  await place.open();
  t.false(place.snapshots.has(layer.chainId));
  t.like(
    t.throws(() => place.snapshots.name(layer.chainId)),
    { kind: "not-found" },
  );
});

test("a layer that is needed after all is not removed", async (t) => {
  const place = await Place.make(t);
  await place.prepare();
  await place.snapshots.remove(layer.chainId, () => true);
  t.true(place.snapshots.has(layer.chainId));
  await place.snapshots.remove(layer.chainId, () => false);
  t.deepEqual([place.states(), await place.folders()], [[], []]);
});
