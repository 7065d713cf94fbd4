// A tar from the node, entry by entry. What is not as the node would write it is refused: it is content of a container.
import { BLOCK_BYTES, broken, decodeHeader, MAX_NAME_BYTES, type TarEntry } from "./tar-header.ts";

export interface TarSink {
  /** `content` is to be read to its end before the next entry comes. */
  entry(entry: TarEntry, content: AsyncGenerator<Buffer>): Promise<void>;
}

const KINDS = { "0": "file", "2": "link", "5": "folder" } as const;
const MAX_ENTRIES = 2_000_000;

/** @throws AgentError invalid-argument for a tar that is damaged or cut off */
export async function readTar(tar: AsyncIterable<Buffer>, sink: TarSink): Promise<void> {
  const bytes = new Bytes(tar);
  let names: { L?: string; K?: string } = {};
  for (let entries = 0; ; ) {
    const header = decodeHeader(await bytes.take(BLOCK_BYTES));
    if (header === undefined) break;
    const { type, sizeBytes } = header;
    if (type === "L" || type === "K") {
      if (sizeBytes > MAX_NAME_BYTES + 1) throw broken(`a name is over ${MAX_NAME_BYTES} bytes`);
      names[type] = (await bytes.take(sizeBytes)).toString("latin1").replace(/\0$/, "");
      await bytes.skipPadding(sizeBytes);
      continue;
    }
    if (++entries > MAX_ENTRIES) throw broken(`it has over ${MAX_ENTRIES} entries`);
    if (type !== "0" && sizeBytes !== 0) throw broken("what is no file has content");
    const { L: name = header.name, K: target = header.target } = names;
    names = {};
    const content = bytes.pieces(sizeBytes);
    await sink.entry({ ...header, kind: KINDS[type], name: name.replace(/\/$/, ""), target }, content);
    for await (const _ of content) throw broken("an entry was not read to its end");
    await bytes.skipPadding(sizeBytes);
  }
  // To its end: what follows is padding.
  while ((await bytes.piece(BLOCK_BYTES)).length > 0);
}

class Bytes {
  readonly #chunks: AsyncIterator<Buffer>;
  #chunk: Buffer = Buffer.alloc(0);

  constructor(tar: AsyncIterable<Buffer>) {
    this.#chunks = tar[Symbol.asyncIterator]();
  }

  /** What there is, at most so much; nothing at the end. */
  async piece(most: number): Promise<Buffer> {
    while (this.#chunk.length === 0) {
      const { done, value } = await this.#chunks.next();
      if (done === true) break;
      this.#chunk = value;
    }
    const piece = this.#chunk.subarray(0, most);
    this.#chunk = this.#chunk.subarray(piece.length);
    return piece;
  }

  async *pieces(count: number): AsyncGenerator<Buffer> {
    for (let left = count; left > 0; ) {
      const piece = await this.piece(left);
      if (piece.length === 0) throw broken("it is cut off");
      left -= piece.length;
      yield piece;
    }
  }

  async take(count: number): Promise<Buffer> {
    const pieces = [];
    for await (const piece of this.pieces(count)) pieces.push(piece);
    return pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces);
  }

  async skipPadding(count: number): Promise<void> {
    await this.take((BLOCK_BYTES - (count % BLOCK_BYTES)) % BLOCK_BYTES);
  }
}
