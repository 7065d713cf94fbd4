import test from "ava";
import { encodeFrame, FrameDecoder } from "../../../src/native-client/frame.ts";

test("messages come out as they went in however the bytes are cut", (t) => {
  const bytes = Buffer.concat([encodeFrame(Buffer.from("one")), encodeFrame(Buffer.alloc(70_000, "x")), encodeFrame(Buffer.from("three"))]);
  for (const size of [1, 2, 3, 5, 7, 4096, bytes.length]) {
    const decoder = new FrameDecoder();
    const lengths: number[] = [];
    for (let at = 0; at < bytes.length; at += size) {
      for (const message of decoder.push(bytes.subarray(at, at + size))) lengths.push(message.length);
    }
    t.deepEqual(lengths, [3, 70_000, 5], `pieces of ${size}`);
  }
});

test("a length out of bounds ends the connection before its bytes are awaited", (t) => {
  t.throws(() => new FrameDecoder().push(Buffer.from([255, 255, 255, 255])));
  t.throws(() => new FrameDecoder().push(Buffer.from([0, 0, 0, 0])));
});
