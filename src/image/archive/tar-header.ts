// Headers of a tar that is written as it is sent: regular files of root, from 1970, so that the same images make the same bytes.

const BLOCK_BYTES = 512;
const MAX_NAME_BYTES = 100;
// Eleven octal digits.
const MAX_OCTAL_BYTES = 8 ** 11 - 1;

/**
 * @param sizeBytes up to 2^53 - 1; what eleven octal digits can't say is written as a binary number, as GNU and star do
 * @source POSIX.1-1988 ustar
 * @throws RangeError for a name of over 100 bytes
 */
export function tarHeader(name: string, sizeBytes: number): Buffer {
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) throw new RangeError(`write tar: ${name} is over ${MAX_NAME_BYTES} bytes`);
  const block = Buffer.alloc(BLOCK_BYTES);
  const octal = (value: number, at: number, bytes: number): number => block.write(`${value.toString(8).padStart(bytes - 1, "0")}\0`, at);
  block.write(name, 0);
  octal(0o644, 100, 8);
  octal(0, 108, 8); // user
  octal(0, 116, 8); // group
  if (sizeBytes <= MAX_OCTAL_BYTES) octal(sizeBytes, 124, 12);
  else {
    block[124] = 0x80;
    block.writeBigUInt64BE(BigInt(sizeBytes), 128);
  }
  octal(0, 136, 12); // time of the last change
  block.write("0", 156);
  block.write("ustar\0" + "00", 257);
  // The sum is taken with spaces in its own place.
  block.write(" ".repeat(8), 148);
  octal(
    block.reduce((sum, byte) => sum + byte, 0),
    148,
    7,
  );
  return block;
}

/** What fills the last block of a file. */
export const tarPadding = (sizeBytes: number): Buffer => Buffer.alloc((BLOCK_BYTES - (sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES);

/** The end of a tar. */
export const tarEnd = (): Buffer => Buffer.alloc(2 * BLOCK_BYTES);
