// Files of variables, a K=V a line. Pure.
import { UsageError } from "./failure.ts";
import { type Pair, parsePair } from "./run-options.ts";

/**
 * Empty lines and those that begin with "#" are left out; a value is what follows the first "=", quotes and all. A name alone takes the
 * value of `ours`, and is left out where there is none.
 *
 * @throws UsageError with the line's number
 */
export function parseEnvFile(text: string, path: string, ours: Readonly<Record<string, string | undefined>>): Pair[] {
  return text.split(/\r?\n/).flatMap((line, index): Pair[] => {
    if (line.trim() === "" || line.startsWith("#")) return [];
    if (/\s/.test(line.split("=")[0] ?? "")) throw new UsageError(`${path}: line ${index + 1}: a name has a space in it`);
    if (line.includes("=")) return [parsePair(line)];
    const value = ours[line];
    return value === undefined ? [] : [[line, value]];
  });
}
