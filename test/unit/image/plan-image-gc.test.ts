import test from "ava";
import { bytesOverThreshold, freedByRemoving, type ImageUsage, planImageGc } from "../../../src/image/plan-image-gc.ts";

const NOW_MS = 1_000_000;

/** @param parts "base:100", what it is called and its bytes */
const image = (id: string, ageMs: number, parts: readonly string[] = [`${id}:100`], keep = false): ImageUsage => ({
  id,
  lastUsedAtMs: NOW_MS - ageMs,
  keep,
  parts: new Map(parts.map((part) => [part.split(":")[0] ?? "", BigInt(part.split(":")[1] ?? 0)])),
});

const chosen = (images: readonly ImageUsage[], bytesToFree: bigint, minAgeMs = 0): string[] =>
  planImageGc(images, bytesToFree, minAgeMs, NOW_MS).map(({ id }) => id);

test("the least recently used go first, and no more than are needed", (t) => {
  const images = [image("new", 1), image("old", 100), image("middle", 50)];
  t.deepEqual(chosen(images, 100n), ["old"]);
  t.deepEqual(chosen(images, 101n), ["old", "middle"]);
  t.deepEqual(chosen(images, 0n), []);
});

test("what is used or pinned never goes, and may leave less freed than asked", (t) => {
  t.deepEqual(chosen([image("used", 100, ["used:1000"], true), image("free", 1)], 5000n), ["free"]);
});

test("what came or was used lately stays", (t) => {
  t.deepEqual(chosen([image("young", 119), image("old", 120)], 5000n, 120), ["old"]);
});

test("a layer that another image needs is not counted until that one goes too", (t) => {
  const images = [image("one", 30, ["base:1000", "one:10"]), image("two", 20, ["base:1000", "two:20"]), image("three", 10)];
  t.deepEqual(planImageGc(images, 500n, 0, NOW_MS), [
    { id: "one", freedBytes: 10n },
    { id: "two", freedBytes: 1020n },
  ]);
  const base = image("base", 5, ["base:1000"], true);
  t.deepEqual(freedByRemoving(images.slice(0, 2), [...images, base]), [
    { id: "one", freedBytes: 10n },
    { id: "two", freedBytes: 20n },
  ]);
});

test("a disk is brought from the high threshold to the low one", (t) => {
  const disk = (availableBytes: bigint) => ({ capacityBytes: 1000n, availableBytes });
  t.is(bytesOverThreshold(disk(159n), 85, 80), 41n, "15.9 % are free, and the part is cut off as the kubelet does");
  t.is(bytesOverThreshold(disk(160n), 85, 80), 0n);
  t.is(bytesOverThreshold(disk(150n), 85, 80), 50n);
  t.is(bytesOverThreshold(disk(0n), 85, 80), 200n);
  t.is(bytesOverThreshold(disk(0n), 100, 80), 0n, "off");
  t.is(bytesOverThreshold({ capacityBytes: 0n, availableBytes: 0n }, 85, 80), 0n, "a file system that tells nothing");
});
