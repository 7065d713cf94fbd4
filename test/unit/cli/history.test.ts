import test from "ava";
import { historyRows } from "../../../src/cli/history-rows.ts";
import { FakeNode, NOW_MS } from "./fake-node.ts";

const entry = (createdBy: string, emptyLayer = false, created = "", comment = "") => ({ createdBy, emptyLayer, created, comment });
const layer = (unpackedBytes?: string) => ({ digest: "sha256:1", unpackedBytes });
const rows = (info: unknown) => historyRows(JSON.stringify(info)).map(({ createdBy, sizeBytes }) => [createdBy, sizeBytes]);

test("the newest instruction is first, each with the size of the layer it made", (t) => {
  const info = { layers: [layer("10"), layer("2000")], history: [entry("ADD base"), entry("ENV a=1", true), entry("COPY app")] };
  t.deepEqual(rows(info), [
    ["COPY app", 2000n],
    ["ENV a=1", 0n],
    ["ADD base", 10n],
  ]);
});

test("an image that an older node took in has neither sizes nor instructions, but its layers", (t) => {
  t.deepEqual(rows({ layers: [layer(), layer()] }), [
    ["", null],
    ["", null],
  ]);
});

test("a history that does not fit the layers is told as far as it goes", (t) => {
  t.deepEqual(rows({ layers: [layer("1")], history: [entry("a"), entry("b")] }), [
    ["b", null],
    ["a", 1n],
  ]);
});

test("what is no description of an image has no history", (t) => {
  for (const info of ["", "no JSON", "[]", '{"layers":7,"history":{}}', "null"]) t.deepEqual(historyRows(info), [], info);
});

test("instructions are told in one line each, cut unless they are wanted whole", async (t) => {
  const node = await FakeNode.start(t);
  node.images.add("docker.io/library/busybox:latest");
  const created = new Date(NOW_MS - 4 * 86_400_000).toISOString();
  node.imageInfo = { layers: [layer("2048")], history: [entry(`RUN one \\\n\t && ${"x".repeat(100)}`, false, created, "buildkit")] };
  const lines = (await node.berth(["history", "busybox"])).stdout.split("\n");
  t.regex(lines[0] ?? "", /^CREATED +SIZE +CREATED BY +COMMENT$/);
  t.regex(lines[1] ?? "", /^4d +2\.0 KiB {2}RUN one \\ && x{46}… {2}buildkit$/);
  t.regex((await node.berth(["history", "--no-trunc", "busybox"])).stdout, /x{100} {2}buildkit\n$/);
  t.like(JSON.parse((await node.berth(["history", "-o", "json", "busybox"])).stdout)[0], { created, sizeBytes: 2048, comment: "buildkit" });
});
