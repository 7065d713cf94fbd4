// Whoever writes more than a stream takes waits here.
import type { Writable } from "node:stream";

/** Resolves when more may be written, or when nothing can be any more: the stream's end is told by whoever uses it. */
export async function drained(stream: Writable): Promise<void> {
  if (stream.destroyed || !stream.writableNeedDrain) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      stream.off("drain", done);
      stream.off("close", done);
      resolve();
    };
    stream.on("drain", done);
    stream.on("close", done);
  });
}

/** Resolves when the stream is done with `bytes`: it has passed them on, or can't any more. */
export async function written(stream: Writable, bytes: Uint8Array): Promise<void> {
  await new Promise<void>((resolve) => stream.write(bytes, () => resolve()));
}
