// Frames of SPDY/3.1 on the wire. Data is passed on as it comes, whatever the length of its frame; control frames are collected.
// @source SPDY protocol draft 3.1, sections 2.2 and 2.6
import { AgentError } from "../../../base/errors.ts";

const VERSION = 3;
const HEADER_BYTES = 8;
const FLAG_FIN = 1;
// Four headers of a few letters fit in a hundredth of it.
const MAX_CONTROL_BYTES = 64 * 1024;
const MAX_DATA_BYTES = 0xff_ff_ff;

const TYPE = { synStream: 1, synReply: 2, rstStream: 3, ping: 6, goAway: 7, headers: 8 } as const;

export type Frame =
  | { readonly kind: "syn-stream" | "syn-reply"; readonly streamId: number; readonly fin: boolean; readonly headerBlock: Buffer }
  | { readonly kind: "headers"; readonly headerBlock: Buffer }
  | { readonly kind: "rst-stream"; readonly streamId: number }
  | { readonly kind: "ping"; readonly id: number }
  | { readonly kind: "go-away" }
  /** `fin` stands with the last piece of a frame that has it. */
  | { readonly kind: "data"; readonly streamId: number; readonly fin: boolean; readonly data: Buffer };

export class FrameDecoder {
  #pending: Buffer = Buffer.alloc(0);
  #data: { streamId: number; fin: boolean; left: number } | undefined;

  /** @throws AgentError invalid-argument for what is no SPDY/3; the connection can't be used any more */
  *push(chunk: Buffer): Generator<Frame> {
    let rest = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    for (;;) {
      if (this.#data !== undefined) {
        const { streamId, fin, left } = this.#data;
        if (rest.length === 0 && left > 0) break;
        const data = rest.subarray(0, left);
        rest = rest.subarray(data.length);
        const isLast = data.length === left;
        this.#data = isLast ? undefined : { streamId, fin, left: left - data.length };
        yield { kind: "data", streamId, fin: fin && isLast, data };
        continue;
      }
      if (rest.length < HEADER_BYTES) break;
      const [first, second] = [rest.readUInt32BE(0), rest.readUInt32BE(4)];
      const [flags, length] = [second >>> 24, second & MAX_DATA_BYTES];
      if (first >>> 31 === 0) {
        this.#data = { streamId: first, fin: (flags & FLAG_FIN) !== 0, left: length };
        rest = rest.subarray(HEADER_BYTES);
        continue;
      }
      if (((first >>> 16) & 0x7fff) !== VERSION) throw new AgentError("invalid-argument", "read SPDY frame: it is not of version 3");
      if (length > MAX_CONTROL_BYTES)
        throw new AgentError("invalid-argument", `read SPDY frame: a control frame of ${length} bytes is over ${MAX_CONTROL_BYTES}`);
      if (rest.length < HEADER_BYTES + length) break;
      const frame = controlFrame(first & 0xffff, flags, rest.subarray(HEADER_BYTES, HEADER_BYTES + length));
      rest = rest.subarray(HEADER_BYTES + length);
      if (frame !== undefined) yield frame;
    }
    this.#pending = rest;
  }
}

/** What needs no answer of ours (settings, windows) is left out: nobody who speaks Kubernetes' SPDY keeps windows. */
function controlFrame(type: number, flags: number, payload: Buffer): Frame | undefined {
  const fin = (flags & FLAG_FIN) !== 0;
  const wants = (bytes: number): void => {
    if (payload.length < bytes) throw new AgentError("invalid-argument", `read SPDY frame: type ${type} with ${payload.length} bytes`);
  };
  switch (type) {
    case TYPE.synStream:
      wants(10);
      return { kind: "syn-stream", streamId: payload.readUInt32BE(0) & 0x7fffffff, fin, headerBlock: payload.subarray(10) };
    case TYPE.synReply:
      wants(4);
      return { kind: "syn-reply", streamId: payload.readUInt32BE(0) & 0x7fffffff, fin, headerBlock: payload.subarray(4) };
    case TYPE.headers:
      wants(4);
      return { kind: "headers", headerBlock: payload.subarray(4) };
    case TYPE.rstStream:
      wants(8);
      return { kind: "rst-stream", streamId: payload.readUInt32BE(0) & 0x7fffffff };
    case TYPE.ping:
      wants(4);
      return { kind: "ping", id: payload.readUInt32BE(0) };
    case TYPE.goAway:
      return { kind: "go-away" };
    default:
      return undefined;
  }
}

function control(type: number, flags: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32BE(((0x8000 | VERSION) * 0x10000 + type) >>> 0, 0);
  header.writeUInt32BE(((flags << 24) | payload.length) >>> 0, 4);
  return Buffer.concat([header, payload]);
}

const words = (...values: number[]): Buffer => {
  const buffer = Buffer.alloc(4 * values.length);
  for (const [index, value] of values.entries()) buffer.writeUInt32BE(value, 4 * index);
  return buffer;
};

/** For who opens a stream: its id is odd for a client. */
export const synStream = (streamId: number, headerBlock: Buffer): Buffer =>
  control(TYPE.synStream, 0, Buffer.concat([words(streamId, 0), Buffer.alloc(2), headerBlock]));

export const synReply = (streamId: number, headerBlock: Buffer): Buffer =>
  control(TYPE.synReply, 0, Buffer.concat([words(streamId), headerBlock]));

/** What a reset stands for. */
export const RESET = { protocolError: 1, invalidStream: 2, refusedStream: 3, cancel: 5 } as const;

export const rstStream = (streamId: number, status: number): Buffer => control(TYPE.rstStream, 0, words(streamId, status));

export const ping = (id: number): Buffer => control(TYPE.ping, 0, words(id));

export const goAway = (lastStreamId: number): Buffer => control(TYPE.goAway, 0, words(lastStreamId, 0));

/** The header of a data frame; `length` bytes, at most MAX_DATA_BYTES, follow it. */
export function dataHeader(streamId: number, length: number, fin: boolean): Buffer {
  const header = Buffer.allocUnsafe(HEADER_BYTES);
  header.writeUInt32BE(streamId, 0);
  header.writeUInt32BE((((fin ? FLAG_FIN : 0) << 24) | length) >>> 0, 4);
  return header;
}
