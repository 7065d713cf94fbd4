// Headers of SPDY streams: pairs with lengths, in one zlib stream per direction that is flushed after each block.
// @source SPDY protocol draft 3.1, section 2.6.10
import { createDeflate, createInflate, constants, type Deflate, type Inflate } from "node:zlib";
import { AgentError } from "../../../base/errors.ts";
import { HEADER_DICTIONARY } from "./dictionary.ts";

const MAX_BYTES = 64 * 1024;
const MAX_HEADERS = 64;

export type Headers = ReadonlyMap<string, string>;

export class HeaderReader {
  readonly #inflate: Inflate = quiet(createInflate({ dictionary: HEADER_DICTIONARY }));

  /** Blocks have to be given in the order they came. @throws AgentError invalid-argument */
  async read(block: Buffer): Promise<Headers> {
    return parse(await passThrough(this.#inflate, block));
  }

  close(): void {
    this.#inflate.destroy();
  }
}

export class HeaderWriter {
  readonly #deflate: Deflate = quiet(createDeflate({ dictionary: HEADER_DICTIONARY, flush: constants.Z_SYNC_FLUSH }));

  /** Blocks have to be sent in the order they were made. */
  async write(headers: Headers): Promise<Buffer> {
    return await passThrough(this.#deflate, serialize(headers));
  }

  close(): void {
    this.#deflate.destroy();
  }
}

/** What is wrong with a stream is told by the call that finds it; it may say so once more when nobody listens. */
function quiet<T extends Inflate | Deflate>(stream: T): T {
  stream.on("error", () => {});
  return stream;
}

/** What comes out of the stream for this piece, at most MAX_BYTES. */
async function passThrough(stream: Inflate | Deflate, piece: Buffer): Promise<Buffer> {
  return await new Promise<Buffer>((resolve, reject) => {
    const parts: Buffer[] = [];
    let bytes = 0;
    const finish = (failure?: Error | null): void => {
      stream.off("readable", take);
      stream.off("error", finish);
      if (failure == null) resolve(Buffer.concat(parts));
      else reject(new AgentError("invalid-argument", `read SPDY headers: ${failure.message}`));
    };
    const take = (): void => {
      for (let part: Buffer | null = stream.read(); part !== null; part = stream.read()) {
        parts.push(part);
        bytes += part.length;
      }
      if (bytes > MAX_BYTES) finish(new Error(`they are over ${MAX_BYTES} bytes`));
    };
    stream.on("readable", take);
    stream.on("error", finish);
    stream.write(piece, (failure) => {
      take();
      finish(failure);
    });
  });
}

function serialize(headers: Headers): Buffer {
  const texts = [...headers].flatMap(([name, value]) => [Buffer.from(name.toLowerCase()), Buffer.from(value)]);
  const block = Buffer.alloc(4 + texts.reduce((sum, text) => sum + 4 + text.length, 0));
  let at = block.writeUInt32BE(headers.size, 0);
  for (const text of texts) {
    at = block.writeUInt32BE(text.length, at);
    at += text.copy(block, at);
  }
  return block;
}

function parse(block: Buffer): Headers {
  const headers = new Map<string, string>();
  let at = 0;
  const number = (): number => {
    if (at + 4 > block.length) throw new AgentError("invalid-argument", "read SPDY headers: they end too early");
    at += 4;
    return block.readUInt32BE(at - 4);
  };
  const text = (): string => {
    const length = number();
    if (length > block.length - at) throw new AgentError("invalid-argument", "read SPDY headers: they end too early");
    at += length;
    return block.toString("utf8", at - length, at);
  };
  const count = number();
  if (count > MAX_HEADERS) throw new AgentError("invalid-argument", `read SPDY headers: ${count} are over ${MAX_HEADERS}`);
  for (let index = 0; index < count; index++) {
    const name = text();
    headers.set(name.toLowerCase(), text());
  }
  return headers;
}
