// Plain data as YAML, for people who read it that way. Pure.

/** @param value of what JSON has: objects, arrays, texts, numbers, booleans and null */
export function formatYaml(value: unknown): string {
  return `${lines(value).join("\n")}\n`;
}

function lines(value: unknown): string[] {
  if (Array.isArray(value) && value.length > 0) return value.flatMap((each) => indented(lines(each), "- "));
  const fields = fieldsOf(value);
  if (fields.length === 0) return [scalar(value)];
  return fields.flatMap(([key, each]) => {
    const nested = lines(each);
    if (!isNested(each)) return [`${scalar(key)}: ${nested[0]}`];
    return [`${scalar(key)}:`, ...indented(nested, "  ")];
  });
}

const fieldsOf = (value: unknown): [string, unknown][] =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.entries(value).filter(([, each]) => each !== undefined)
    : [];

const isNested = (value: unknown): boolean => (Array.isArray(value) ? value.length > 0 : fieldsOf(value).length > 0);

const indented = (all: readonly string[], first: string): string[] => all.map((line, index) => `${index === 0 ? first : "  "}${line}`);

// What some reader takes for something else than a text is quoted; quoted texts of JSON are texts of YAML too.
const PLAIN = /^[A-Za-z_/][\w./@+-]*(?::[\w./@+-]+)*$/;
const WORDS = /^(?:true|false|yes|no|on|off|y|n|null)$/i;

const scalar = (value: unknown): string =>
  typeof value === "string" && PLAIN.test(value) && !WORDS.test(value) ? value : JSON.stringify(value);
