import test from "ava";
import { EventRing } from "../../../src/base/event-ring.ts";

const never = new AbortController().signal;
const SOURCE = "0a1b2c3d";

/** One that numbers what it is given. */
function ringOf(capacity: number) {
  const ring = new EventRing<string>(capacity, SOURCE);
  return { ring, append: (event: string) => ring.append({ number: ring.newest + 1, event }) };
}

async function all(ring: EventRing<string>, cursor: string): Promise<string[]> {
  const events: string[] = [];
  for await (const { event } of ring.read(cursor, false, never)) events.push(event);
  return events;
}

test("events after the cursor come in order", async (t) => {
  const { ring, append } = ringOf(10);
  append("a");
  const { cursor } = ring;
  append("b");
  append("c");
  t.deepEqual(await all(ring, cursor), ["b", "c"]);
  t.deepEqual(await all(ring, ring.cursor), []);
});

test("a reader that follows hears of what happens later, and goes on from its cursor", async (t) => {
  const { ring, append } = ringOf(10);
  const reader = ring.read(ring.cursor, true, never);
  const first = reader.next();
  append("a");
  const { value } = await first;
  t.is(value?.event, "a");
  append("b");
  t.deepEqual(await all(ring, value?.cursor ?? ""), ["b"]);
  await reader.return(undefined);
});

test("a reader that is told to end does", async (t) => {
  const { ring } = ringOf(10);
  const abort = new AbortController();
  const next = ring.read(ring.cursor, true, abort.signal).next();
  abort.abort();
  t.true((await next).done);
});

test("who falls behind is told, and not given less", async (t) => {
  const { ring, append } = ringOf(2);
  const { cursor } = ring;
  for (const event of ["a", "b", "c"]) append(event);
  t.like(await t.throwsAsync(all(ring, cursor)), { kind: "resource-exhausted" });
});

test("numbers that were left out are no loss", async (t) => {
  const ring = new EventRing<string>(3, SOURCE);
  for (const [number, event] of [
    [2, "a"],
    [5, "b"],
    [6, "c"],
    [9, "d"],
  ] as const)
    ring.append({ number, event });
  t.deepEqual(await all(ring, `${SOURCE}-2`), ["b", "c", "d"]);
  t.deepEqual(await all(ring, `${SOURCE}-5`), ["c", "d"]);
  t.like(await t.throwsAsync(all(ring, `${SOURCE}-1`)), { kind: "resource-exhausted" });
});

test("what is past is read like what was told here, and who was away for more of it is told so", async (t) => {
  const ring = new EventRing<string>(3, SOURCE, [
    { number: 7, event: "a" },
    { number: 8, event: "b" },
  ]);
  t.deepEqual(await all(ring, `${SOURCE}-6`), ["a", "b"]);
  t.deepEqual(await all(ring, `${SOURCE}-7`), ["b"]);
  t.is(ring.cursor, `${SOURCE}-8`);
  t.like(await t.throwsAsync(all(ring, `${SOURCE}-5`)), { kind: "resource-exhausted" });
});

for (const [what, cursor] of [
  ["of another node", "00000000-1"],
  ["of the future", `${SOURCE}-7`],
  ["that is none", "x"],
] as const) {
  test(`a cursor ${what} is refused`, async (t) => {
    t.like(await t.throwsAsync(all(ringOf(2).ring, cursor)), { kind: "failed-precondition" });
  });
}
