// Writes tar archives whose bytes depend on nothing but what is put in: no times, no names of users.

export interface TarEntry {
  /** "a/b.txt"; one that ends with a slash is a folder */
  readonly name: string;
  readonly content?: Uint8Array;
  /** permission bits; 0755 for a folder and 0644 for a file where none are given */
  readonly mode?: number;
}

const BLOCK_BYTES = 512;
const MAX_NAME_BYTES = 100;
// Eleven octal digits.
const MAX_CONTENT_BYTES = 8 ** 11 - 1;

/**
 * All entries belong to root and are from 1970.
 *
 * @source POSIX.1-1988 ustar
 * @throws RangeError for a name or a content that its header has no room for
 */
export function makeTar(entries: readonly TarEntry[]): Buffer {
  const parts = entries.flatMap((entry) => {
    const content = entry.content ?? new Uint8Array();
    return [header(entry, content.length), content, new Uint8Array((BLOCK_BYTES - (content.length % BLOCK_BYTES)) % BLOCK_BYTES)];
  });
  return Buffer.concat([...parts, new Uint8Array(2 * BLOCK_BYTES)]);
}

function header({ name, mode }: TarEntry, sizeBytes: number): Buffer {
  if (name === "" || Buffer.byteLength(name) > MAX_NAME_BYTES)
    throw new RangeError(`write tar: ${JSON.stringify(name)} is no name of 1 to ${MAX_NAME_BYTES} bytes`);
  if (sizeBytes > MAX_CONTENT_BYTES) throw new RangeError(`write tar: ${name} has over ${MAX_CONTENT_BYTES} bytes`);
  const isFolder = name.endsWith("/");
  const block = Buffer.alloc(BLOCK_BYTES);
  const octal = (value: number, at: number, bytes: number): number => block.write(`${value.toString(8).padStart(bytes - 1, "0")}\0`, at);
  block.write(name, 0);
  octal(mode ?? (isFolder ? 0o755 : 0o644), 100, 8);
  octal(0, 108, 8); // user
  octal(0, 116, 8); // group
  octal(sizeBytes, 124, 12);
  octal(0, 136, 12); // time of the last change
  block.write(isFolder ? "5" : "0", 156);
  block.write("ustar\0" + "00", 257);
  // The sum is taken with spaces in its own place.
  block.write(" ".repeat(8), 148);
  const sum = block.reduce((total, byte) => total + byte, 0);
  octal(sum, 148, 7);
  return block;
}
