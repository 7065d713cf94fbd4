// Values of a file that somebody wrote, read field by field: what is not known is refused, by its place in the file. Pure.
import { AgentError } from "./errors.ts";

type JsonObject = Readonly<Record<string, unknown>>;

/** Its methods throw AgentError invalid-argument. An absent value and null are the same. */
export class StrictReader {
  readonly #doing: string;

  /** @param doing "read seccomp profile /a/b.json" */
  constructor(doing: string) {
    this.#doing = doing;
  }

  /** @param known names of all fields that it may have */
  object(value: unknown, field: string, known: readonly string[]): JsonObject {
    if (!isObject(value)) throw this.refuse(`${field} is no object`);
    const unknown = Object.keys(value).find((key) => !known.includes(key));
    if (unknown !== undefined) throw this.refuse(`${field} has a field ${quote(unknown)}, which is not known`);
    return value;
  }

  list(value: unknown, field: string): readonly unknown[] {
    if (value === undefined || value === null) return [];
    if (!Array.isArray(value)) throw this.refuse(`${field} is no list`);
    return value;
  }

  texts(value: unknown, field: string): string[] {
    return this.list(value, field).map((each, index) => this.text(each, `${field}[${index}]`));
  }

  text(value: unknown, field: string): string {
    if (typeof value !== "string") throw this.refuse(`${field} is ${value === undefined ? "missing" : "no text"}`);
    return value;
  }

  number(value: unknown, field: string, most: number): number {
    if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > most)
      throw this.refuse(`${field} ${quote(value)} is no whole number within 0 to ${most}`);
    return value;
  }

  oneOf<T extends string>(value: unknown, field: string, known: readonly T[]): T {
    const text = this.text(value, field);
    const found = known.find((each) => each === text);
    if (found === undefined) throw this.refuse(`${field} ${quote(text)} is none of ${known.join(", ")}`);
    return found;
  }

  refuse(why: string, cause?: unknown): AgentError {
    return new AgentError("invalid-argument", `${this.#doing}: ${why}`, { cause });
  }
}

const isObject = (value: unknown): value is JsonObject => typeof value === "object" && value !== null && !Array.isArray(value);

/** A value for a message, cut where it is long. */
export const quote = (value: unknown): string => (JSON.stringify(value) ?? "undefined").slice(0, 100);
