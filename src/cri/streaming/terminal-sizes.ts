// Sizes of a terminal as a client tells them: JSON objects one after the other, cut anywhere.
import type { TerminalSize } from "../../container/exec.ts";

const MAX_OBJECT_CHARACTERS = 1024;
const MAX_CELLS = 65_535;

export class TerminalSizes {
  #listener: ((size: TerminalSize) => void) | undefined;
  #last: TerminalSize | undefined;
  #text = "";

  /** What is no size is left out: a terminal that is drawn wrongly is no reason to end a session. */
  push(piece: string): void {
    this.#text += piece;
    for (let end = this.#text.indexOf("}"); end >= 0; end = this.#text.indexOf("}")) {
      const size = parseSize(this.#text.slice(0, end + 1));
      this.#text = this.#text.slice(end + 1);
      if (size === undefined) continue;
      this.#last = size;
      this.#listener?.(size);
    }
    if (this.#text.length > MAX_OBJECT_CHARACTERS) this.#text = "";
  }

  onResize(listener: (size: TerminalSize) => void): void {
    this.#listener = listener;
    if (this.#last !== undefined) listener(this.#last);
  }
}

function parseSize(text: string): TerminalSize | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null || !("Width" in value && "Height" in value)) return undefined;
  const { Width: width, Height: height } = value;
  return isCells(width) && isCells(height) ? { width, height } : undefined;
}

const isCells = (value: unknown): value is number => Number.isInteger(value) && Number(value) >= 0 && Number(value) <= MAX_CELLS;
