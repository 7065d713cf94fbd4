import test from "ava";
import { EventRing } from "../../../src/base/event-ring.ts";

const never = new AbortController().signal;

async function all(ring: EventRing<string>, cursor: string): Promise<string[]> {
  const events: string[] = [];
  for await (const { event } of ring.read(cursor, false, never)) events.push(event);
  return events;
}

test("events after the cursor come in order", async (t) => {
  const ring = new EventRing<string>(10);
  ring.append("a");
  const { cursor } = ring;
  ring.append("b");
  ring.append("c");
  t.deepEqual(await all(ring, cursor), ["b", "c"]);
  t.deepEqual(await all(ring, ring.cursor), []);
});

test("a reader that follows hears of what happens later, and goes on from its cursor", async (t) => {
  const ring = new EventRing<string>(10);
  const reader = ring.read(ring.cursor, true, never);
  const first = reader.next();
  ring.append("a");
  const { value } = await first;
  t.is(value?.event, "a");
  ring.append("b");
  t.deepEqual(await all(ring, value?.cursor ?? ""), ["b"]);
  await reader.return(undefined);
});

test("a reader that is told to end does", async (t) => {
  const ring = new EventRing<string>(10);
  const abort = new AbortController();
  const next = ring.read(ring.cursor, true, abort.signal).next();
  abort.abort();
  t.true((await next).done);
});

test("who falls behind is told, and not given less", async (t) => {
  const ring = new EventRing<string>(2);
  const { cursor } = ring;
  for (const event of ["a", "b", "c"]) ring.append(event);
  t.like(await t.throwsAsync(all(ring, cursor)), { kind: "resource-exhausted" });
});

for (const [what, cursor] of [
  ["of another process", "00000000-1"],
  ["of the future", undefined],
  ["that is none", "x"],
] as const) {
  test(`a cursor ${what} is refused`, async (t) => {
    const ring = new EventRing<string>(2);
    const wrong = cursor ?? `${ring.cursor.split("-")[0]}-7`;
    t.like(await t.throwsAsync(all(ring, wrong)), { kind: "failed-precondition" });
  });
}
