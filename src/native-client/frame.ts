// Frames as native/wire reads them: a 32-bit big-endian length, then one message.
import { AgentError } from "../base/errors.ts";

const MAX_FRAME_BYTES = 4 * 1024 * 1024;
export const HEADER_BYTES = 4;

export function encodeFrame(message: Uint8Array): Buffer {
  if (message.length > MAX_FRAME_BYTES) {
    throw new AgentError("resource-exhausted", `send message: ${message.length} bytes are over the bound of ${MAX_FRAME_BYTES}`);
  }
  const frame = Buffer.allocUnsafe(HEADER_BYTES + message.length);
  frame.writeUInt32BE(message.length, 0);
  frame.set(message, HEADER_BYTES);
  return frame;
}

/**
 * Of the message at the beginning of `bytes`.
 *
 * @returns undefined when not even that has come
 * @throws AgentError internal when it is out of bounds; the connection can't be used any more
 */
export function frameLength(bytes: Buffer, mostBytes = MAX_FRAME_BYTES): number | undefined {
  if (bytes.length < HEADER_BYTES) return undefined;
  const length = bytes.readUInt32BE(0);
  if (length === 0 || length > mostBytes)
    throw new AgentError("internal", `read message: length ${length} is not within 1 to ${mostBytes}`);
  return length;
}

/** Collects bytes as they come and gives the messages that are whole. */
export class FrameDecoder {
  #chunks: Buffer[] = [];
  #bytes = 0;

  /** @throws AgentError internal when the peer announces a length out of bounds; the connection can't be used any more */
  push(chunk: Buffer): Buffer[] {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    const messages: Buffer[] = [];
    for (let message = this.#next(); message !== undefined; message = this.#next()) messages.push(message);
    return messages;
  }

  #next(): Buffer | undefined {
    if (this.#bytes < HEADER_BYTES) return undefined;
    const length = frameLength(this.#peek(HEADER_BYTES));
    if (length === undefined || this.#bytes < HEADER_BYTES + length) return undefined;
    const all = this.#peek(HEADER_BYTES + length);
    const rest = all.subarray(HEADER_BYTES + length);
    this.#chunks = rest.length > 0 ? [rest, ...this.#chunks.slice(1)] : this.#chunks.slice(1);
    this.#bytes -= HEADER_BYTES + length;
    return all.subarray(HEADER_BYTES, HEADER_BYTES + length);
  }

  // Joins chunks only as far as is needed, so that a large message is copied once.
  #peek(bytes: number): Buffer {
    let first = this.#chunks[0] ?? Buffer.alloc(0);
    if (first.length >= bytes) return first;
    let count = 0;
    for (let sum = 0; sum < bytes; count++) sum += this.#chunks[count]?.length ?? bytes;
    first = Buffer.concat(this.#chunks.slice(0, count));
    this.#chunks.splice(0, count, first);
    return first;
  }
}
