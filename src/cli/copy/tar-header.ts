// Headers of the tars that `berth cp` writes and reads: files, folders and links, with GNU's long names. Names are bytes, and are
// held as latin1 text. Pure.
import { AgentError } from "../../base/errors.ts";

export const BLOCK_BYTES = 512;
// Of a path of Linux.
export const MAX_NAME_BYTES = 4096;

type EntryKind = "file" | "folder" | "link";

export interface TarEntry {
  readonly kind: EntryKind;
  /** latin1; of a folder without the slash at its end */
  readonly name: string;
  /** of a link, latin1 */
  readonly target: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** of a file; 0 for others */
  readonly sizeBytes: number;
  readonly mtimeSeconds: number;
}

/** A header as it stands; L and K are long names of the entry that follows. */
export interface RawHeader extends Omit<TarEntry, "kind"> {
  readonly type: "0" | "2" | "5" | "L" | "K";
}

const TYPES = { file: "0", link: "2", folder: "5" } as const;
const NAME_BYTES = 100;
const MAGIC = "ustar  ";
const CHECKSUM_AT = 148;
const CHECKSUM_BYTES = 8;

/** Where a field begins, and how long it is. @source GNU tar, "Basic Tar Format" */
const FIELDS = {
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  sizeBytes: [124, 12],
  mtimeSeconds: [136, 12],
} as const;

/** The header of an entry, with what must stand before it. */
export function encodeHeader(entry: TarEntry): Buffer {
  const name = entry.kind === "folder" ? `${entry.name}/` : entry.name;
  return Buffer.concat([...longName("L", name), ...longName("K", entry.target), block({ ...entry, name, type: TYPES[entry.kind] })]);
}

/** Zeros up to the next whole block. */
export const padding = (bytes: number): Buffer => Buffer.alloc((BLOCK_BYTES - (bytes % BLOCK_BYTES)) % BLOCK_BYTES);

export const END = Buffer.alloc(2 * BLOCK_BYTES);

/** undefined for a block of zeros, which ends a tar. @throws AgentError invalid-argument for anything that we would not have written */
export function decodeHeader(bytes: Buffer): RawHeader | undefined {
  if (bytes.every((byte) => byte === 0)) return undefined;
  const text = (at: number, length: number): string => bytes.toString("latin1", at, at + length).replace(/\0.*$/s, "");
  const type = text(156, 1);
  if (text(257, 8) !== MAGIC || number(bytes, CHECKSUM_AT, CHECKSUM_BYTES) !== checksum(bytes)) throw broken("a header is damaged");
  if (type !== "0" && type !== "2" && type !== "5" && type !== "L" && type !== "K")
    throw broken(`an entry is of type ${JSON.stringify(type)}, which is no file, folder or link`);
  const fields = Object.fromEntries(Object.entries(FIELDS).map(([field, [at, length]]) => [field, number(bytes, at, length)]));
  return { type, name: text(0, NAME_BYTES), target: text(157, NAME_BYTES), ...(fields as Record<keyof typeof FIELDS, number>) };
}

export const broken = (why: string): AgentError => new AgentError("invalid-argument", `read tar: ${why}`);

function longName(type: "L" | "K", name: string): Buffer[] {
  if (name.length <= NAME_BYTES) return [];
  const content = Buffer.from(`${name}\0`, "latin1");
  const none = { target: "", mode: 0, uid: 0, gid: 0, mtimeSeconds: 0 };
  return [block({ ...none, type, name: "././@LongLink", sizeBytes: content.length }), content, padding(content.length)];
}

function block(header: RawHeader): Buffer {
  const bytes = Buffer.alloc(BLOCK_BYTES);
  bytes.write(header.name.slice(0, NAME_BYTES), 0, "latin1");
  for (const [field, [at, length]] of Object.entries(FIELDS)) writeNumber(bytes, header[field as keyof typeof FIELDS], at, length);
  bytes.write(header.type, 156, "latin1");
  bytes.write(header.target.slice(0, NAME_BYTES), 157, "latin1");
  bytes.write(MAGIC, 257, "latin1");
  bytes.write(`${checksum(bytes).toString(8).padStart(6, "0")}\0 `, CHECKSUM_AT, "latin1");
  return bytes;
}

/** Of all bytes, its own field taken for spaces. */
function checksum(bytes: Buffer): number {
  let sum = 0;
  for (const [at, byte] of bytes.entries()) sum += at >= CHECKSUM_AT && at < CHECKSUM_AT + CHECKSUM_BYTES ? 0x20 : byte;
  return sum;
}

/** Octal digits, or, where they are too few, the number itself with the first bit set. */
function writeNumber(bytes: Buffer, value: number, at: number, length: number): void {
  const digits = value.toString(8);
  if (digits.length < length) return void bytes.write(`${digits.padStart(length - 1, "0")}\0`, at, "latin1");
  bytes[at] = 0x80;
  bytes.writeUIntBE(value, at + length - 6, 6);
}

function number(bytes: Buffer, at: number, length: number): number {
  if (bytes[at] === 0x80) {
    const high = bytes.subarray(at + 1, at + length - 6);
    if (high.some((byte) => byte !== 0)) throw broken("a number in a header is too large");
    return bytes.readUIntBE(at + length - 6, 6);
  }
  const text = bytes.toString("latin1", at, at + length).replace(/[\0 ]+$/, "");
  if (!/^[0-7]*$/.test(text)) throw broken("a number in a header is none");
  return text === "" ? 0 : Number.parseInt(text, 8);
}
