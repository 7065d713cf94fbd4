// Tars made in a test, entry by entry, so that a test can also make what no tool would write.

export interface TarEntry {
  readonly name: string;
  readonly content?: string | Uint8Array;
  readonly mode?: number;
  /** a symlink to this */
  readonly link?: string;
  readonly isFolder?: boolean;
}

const BLOCK_BYTES = 512;

/** @source POSIX.1-1988 ustar; names up to 100 bytes */
export function makeTar(entries: readonly TarEntry[]): Buffer {
  const parts = entries.flatMap((entry) => {
    const content = Buffer.from(entry.content ?? "");
    const padding = Buffer.alloc((BLOCK_BYTES - (content.length % BLOCK_BYTES)) % BLOCK_BYTES);
    return [header(entry, content.length), content, padding];
  });
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK_BYTES)]);
}

function header({ name, mode, link, isFolder }: TarEntry, sizeBytes: number): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES);
  const octal = (value: number, at: number, length: number): number => block.write(`${value.toString(8).padStart(length - 1, "0")}\0`, at);
  block.write(name, 0, 100);
  octal(mode ?? (isFolder === true ? 0o755 : 0o644), 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(sizeBytes, 124, 12);
  octal(0, 136, 12);
  block.write(" ".repeat(8), 148);
  block.write(link !== undefined ? "2" : isFolder === true ? "5" : "0", 156);
  block.write(link ?? "", 157, 100);
  block.write("ustar\0" + "00", 257);
  octal(
    block.reduce((sum, byte) => sum + byte, 0),
    148,
    7,
  );
  return block;
}
