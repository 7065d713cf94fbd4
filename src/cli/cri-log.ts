// CRI log files: "TIME STREAM P|F TEXT", a line each; P is a part whose rest follows. Bytes in, text of both streams out. Pure.

export type LogStream = "stdout" | "stderr";

export interface LogPart {
  readonly time: string;
  readonly stream: LogStream;
  /** false when the line goes on in the next part of its stream */
  readonly ends: boolean;
  readonly text: Buffer;
}

const NEWLINE = 0x0a;
const SPACE = 0x20;

/** Takes a file's bytes as they come and gives its parts. */
export class LogParser {
  #cut = Buffer.alloc(0);

  push(bytes: Buffer): LogPart[] {
    const all = this.#cut.length === 0 ? bytes : Buffer.concat([this.#cut, bytes]);
    const parts: LogPart[] = [];
    let start = 0;
    for (let end = all.indexOf(NEWLINE); end >= 0; end = all.indexOf(NEWLINE, start)) {
      parts.push(parseLine(all.subarray(start, end)));
      start = end + 1;
    }
    // A copy, since the caller reads the next bytes into the same memory.
    this.#cut = Buffer.from(all.subarray(start));
    return parts;
  }

  /** A line that the file ends in the middle of: what there is of its text. */
  finish(): LogPart[] {
    const part = parseLine(this.#cut);
    this.#cut = Buffer.alloc(0);
    return part.time === "" ? [] : [{ ...part, ends: false }];
  }
}

// A line of another form is shown as it is: a log is read when something is wrong, and then nothing may be left out.
function parseLine(line: Buffer): LogPart {
  const first = line.indexOf(SPACE);
  const second = line.indexOf(SPACE, first + 1);
  const third = line.indexOf(SPACE, second + 1);
  const stream = line.toString("latin1", first + 1, second);
  // Tags are separated by colons, and the first says whether the line is whole.
  const tag = line.toString("latin1", second + 1, third).split(":")[0];
  if (first <= 0 || third < 0 || (stream !== "stdout" && stream !== "stderr") || (tag !== "F" && tag !== "P")) {
    return { time: "", stream: "stdout", ends: true, text: Buffer.from(line) };
  }
  return { time: line.toString("latin1", 0, first), stream, ends: tag === "F", text: Buffer.from(line.subarray(third + 1)) };
}

/** Keeps the last lines, each with all of its parts. */
export class LogTail {
  readonly #lines: number;
  #whole: LogPart[][] = [];
  readonly #open = new Map<LogStream, LogPart[]>();

  constructor(lines: number) {
    this.#lines = lines;
  }

  push(parts: readonly LogPart[]): void {
    for (const part of parts) {
      const line = this.#open.get(part.stream) ?? [];
      line.push(part);
      this.#open.set(part.stream, line);
      if (!part.ends) continue;
      this.#open.delete(part.stream);
      this.#whole.push(line);
    }
    // Not at each line, so that a long file costs no more than a pass.
    if (this.#whole.length > this.#lines + 1024) this.#whole = this.#whole.slice(this.#whole.length - this.#lines);
  }

  /** The last lines in their order; one that has not ended yet counts. */
  lines(): LogPart[] {
    const all = [...this.#whole, ...this.#open.values()];
    return all.slice(Math.max(0, all.length - this.#lines)).flat();
  }
}

export interface LogText {
  readonly stream: LogStream;
  readonly bytes: Buffer;
}

/** Joins parts to the text that the container wrote. */
export class LogRenderer {
  readonly #timestamps: boolean;
  readonly #open = new Set<LogStream>();

  constructor(timestamps: boolean) {
    this.#timestamps = timestamps;
  }

  /** What follows one another on one stream is one piece. */
  render(parts: readonly LogPart[]): LogText[] {
    const pieces: { stream: LogStream; bytes: Buffer[] }[] = [];
    for (const { time, stream, ends, text } of parts) {
      const last = pieces.at(-1);
      const piece = last?.stream === stream ? last : { stream, bytes: [] };
      if (piece !== last) pieces.push(piece);
      if (this.#timestamps && !this.#open.has(stream)) piece.bytes.push(Buffer.from(`${time === "" ? "-" : time} `));
      piece.bytes.push(text);
      if (ends) piece.bytes.push(Buffer.from("\n"));
      if (ends) this.#open.delete(stream);
      else this.#open.add(stream);
    }
    return pieces.map(({ stream, bytes }) => ({ stream, bytes: Buffer.concat(bytes) }));
  }
}
