import test from "ava";
import { type LayerProgress, PullProgress } from "../../../src/image/pull-progress.ts";
import { never } from "../../lib/image-service.ts";

const layer = (digest: string, phase: LayerProgress["phase"], fetchedBytes = 0): LayerProgress => ({
  digest,
  phase,
  fetchedBytes,
  totalBytes: 10,
});

async function* bytes(...lengths: readonly number[]): AsyncGenerator<Uint8Array> {
  for (const length of lengths) yield new Uint8Array(length);
}

test("each layer's latest word is told, and only of those that have changed", async (t) => {
  const progress = new PullProgress();
  progress.expect("a", 10);
  progress.expect("b", 10);
  const changes = progress.changes(never);
  t.deepEqual((await changes.next()).value, [layer("a", "waiting"), layer("b", "waiting")]);
  for await (const _ of progress.counted("b", bytes(3, 4)));
  progress.phase("b", "unpacking");
  t.deepEqual((await changes.next()).value, [layer("b", "unpacking", 7)]);
  progress.phase("a", "done");
  progress.end();
  t.deepEqual((await changes.next()).value, [layer("a", "done")]);
  t.true((await changes.next()).done);
});

test("a layer that is fetched anew is counted anew, and what is no layer goes by uncounted", async (t) => {
  const progress = new PullProgress();
  progress.expect("a", 10);
  for (const lengths of [[9], [2]]) for await (const _ of progress.counted("a", bytes(...lengths)));
  let config = 0;
  for await (const chunk of progress.counted("config", bytes(5))) config += chunk.length;
  progress.end();
  t.is(config, 5);
  t.deepEqual((await progress.changes(never).next()).value, [layer("a", "fetching", 2)]);
});

test("who comes late hears all at once, and who leaves waits no longer", async (t) => {
  const progress = new PullProgress();
  const leaving = new AbortController();
  const changes = progress.changes(leaving.signal);
  const waiting = changes.next();
  leaving.abort();
  t.true((await waiting).done);
  progress.expect("a", 10);
  progress.phase("a", "done");
  progress.end();
  const late = progress.changes(never);
  t.deepEqual((await late.next()).value, [layer("a", "done")]);
  t.true((await late.next()).done);
});
