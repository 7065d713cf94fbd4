import test from "ava";
import { decodeRecord, encodeRecord } from "../../../src/store/codec.ts";

test("times past 2^53 and bytes come back as they went", (t) => {
  const record = { id: "a", atNanos: 2n ** 62n + 1n, bytes: Buffer.from([0, 255]) };
  t.deepEqual(decodeRecord(encodeRecord(record)), record);
});

test("a label that is called like a mark of ours is a label, and no reason not to start", (t) => {
  for (const labels of [
    { $bigint: "no number" },
    { $bigint: "5" },
    { $bytes: "AAAA" },
    { $object: "x" },
    { $object: [["a", 1]], b: "c" },
    { a: { $bigint: "7" } },
  ]) {
    t.deepEqual(decodeRecord(encodeRecord({ id: "a", labels })), { id: "a", labels });
  }
});

test("a label that is called like a part of every object is a label as any other", (t) => {
  const labels: unknown = JSON.parse('{"__proto__":{"$bigint":"5"},"constructor":"x"}');
  const record = decodeRecord(encodeRecord({ id: "a", atNanos: 1n, labels }));
  t.deepEqual(record, { id: "a", atNanos: 1n, labels });
  t.is(Object.getPrototypeOf((record as { labels: object }).labels), Object.prototype);
});

test("an object that looks like bytes of a buffer keeps its keys, unless it is one", (t) => {
  const record = { id: "a", labels: { type: "Buffer", data: "text" } };
  t.deepEqual(decodeRecord(encodeRecord(record)), record);
});
