// Tars made in a test, entry by entry, so that a test can also make what no tool would write.

export interface TarEntry {
  readonly name: string;
  readonly content?: string | Uint8Array;
  readonly mode?: number;
  /** a symlink to this */
  readonly link?: string;
  readonly isFolder?: boolean;
  /** a hard link to this */
  readonly hardLink?: string;
  /** a character device with these numbers */
  readonly device?: readonly [major: number, minor: number];
  readonly isFifo?: boolean;
  /** the type flag itself, for what has no name here */
  readonly kind?: string;
  /** extended attributes, in a header of their own */
  readonly attributes?: Readonly<Record<string, string>>;
}

const BLOCK_BYTES = 512;

/** @source POSIX.1-1988 ustar; names up to 100 bytes */
export function makeTar(entries: readonly TarEntry[]): Buffer {
  const parts = entries.flatMap((entry) => {
    const content = Buffer.from(entry.content ?? "");
    const padding = Buffer.alloc((BLOCK_BYTES - (content.length % BLOCK_BYTES)) % BLOCK_BYTES);
    return [...attributesOf(entry), header(entry, content.length), content, padding];
  });
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK_BYTES)]);
}

/** @source POSIX.1-2001 pax: "<length> <key>=<value>\n", the length being that of the whole line */
function attributesOf({ attributes = {} }: TarEntry): Buffer[] {
  const lines = Object.entries(attributes).map(([key, value]) => {
    const rest = ` SCHILY.xattr.${key}=${value}\n`;
    const digits = String(rest.length + String(rest.length).length).length;
    return `${rest.length + digits}${rest}`;
  });
  if (lines.length === 0) return [];
  const content = Buffer.from(lines.join(""));
  return [
    header({ name: "pax" }, content.length, "x"),
    content,
    Buffer.alloc((BLOCK_BYTES - (content.length % BLOCK_BYTES)) % BLOCK_BYTES),
  ];
}

function kindOf({ kind, link, hardLink, device, isFolder, isFifo }: TarEntry): string {
  if (kind !== undefined) return kind;
  if (hardLink !== undefined) return "1";
  if (link !== undefined) return "2";
  if (device !== undefined) return "3";
  if (isFolder === true) return "5";
  return isFifo === true ? "6" : "0";
}

function header(entry: TarEntry, sizeBytes: number, kind = kindOf(entry)): Buffer {
  const { name, mode, link, hardLink, device, isFolder } = entry;
  const block = Buffer.alloc(BLOCK_BYTES);
  const octal = (value: number, at: number, length: number): number => block.write(`${value.toString(8).padStart(length - 1, "0")}\0`, at);
  block.write(name, 0, 100);
  octal(mode ?? (isFolder === true ? 0o755 : 0o644), 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(sizeBytes, 124, 12);
  octal(0, 136, 12);
  block.write(" ".repeat(8), 148);
  block.write(kind, 156);
  block.write(link ?? hardLink ?? "", 157, 100);
  block.write("ustar\0" + "00", 257);
  for (const [index, number] of (device ?? []).entries()) octal(number, 329 + 8 * index, 8);
  octal(
    block.reduce((sum, byte) => sum + byte, 0),
    148,
    7,
  );
  return block;
}

/** The regular files of an archive. */
export function readTar(archive: Buffer): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  const text = (start: number, length: number): string => archive.toString("utf8", start, start + length).replace(/\0.*$/s, "");
  for (let at = 0; at + BLOCK_BYTES <= archive.length && archive[at] !== 0; ) {
    const size = Number.parseInt(text(at + 124, 12), 8);
    if (text(at + 156, 1) === "0") files.set(text(at, 100), archive.subarray(at + BLOCK_BYTES, at + BLOCK_BYTES + size));
    at += BLOCK_BYTES * (1 + Math.ceil(size / BLOCK_BYTES));
  }
  return files;
}
