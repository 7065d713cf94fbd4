import { constants, deflateSync } from "node:zlib";
import test from "ava";
import { HEADER_DICTIONARY } from "../../../../src/cri/streaming/spdy/dictionary.ts";
import { HeaderReader, HeaderWriter } from "../../../../src/cri/streaming/spdy/header-block.ts";

test("blocks are read in the order they were written, each with the compression of those before", async (t) => {
  const [writer, reader] = [new HeaderWriter(), new HeaderReader()];
  const sizes: number[] = [];
  for (const type of ["error", "stdin", "stdout", "stdout"]) {
    const block = await writer.write(new Map([["streamType", type]]));
    sizes.push(block.length);
    t.deepEqual([...(await reader.read(block))], [["streamtype", type]]);
  }
  t.true((sizes[3] ?? 0) < (sizes[0] ?? 0));
});

const packed = (block: Buffer): Buffer => deflateSync(block, { dictionary: HEADER_DICTIONARY, finishFlush: constants.Z_SYNC_FLUSH });

for (const [what, block] of [
  ["a block that swells past its bound", Buffer.alloc(100 * 1024 * 1024)],
  ["more headers than anybody needs", Buffer.from([0, 0, 255, 255])],
  ["a name that is longer than the block", Buffer.from([0, 0, 0, 1, 0, 0, 1, 0, 65])],
  ["a block without a count", Buffer.from([0])],
] as const) {
  test(`${what} is refused`, async (t) => {
    t.like(await t.throwsAsync(new HeaderReader().read(packed(block))), { kind: "invalid-argument" });
  });
}

test("what comes after the end of the compression is refused, and harms nobody", async (t) => {
  const reader = new HeaderReader();
  const block = Buffer.from([0, 0, 0, 0]);
  t.is((await reader.read(deflateSync(block, { dictionary: HEADER_DICTIONARY }))).size, 0);
  for (let index = 0; index < 3; index++) await t.throwsAsync(reader.read(deflateSync(block)));
  reader.close();
});
