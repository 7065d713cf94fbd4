// What the output of a test runner says: how many tests passed and failed, and which failed with what words.
export interface Counts {
  readonly passed: number;
  readonly failed: number;
}

const MOST_LINES = 10;
const MOST_CHARACTERS = 240;
const DETAILS_BEGIN = /^\s*─+$/;

const sum = (output: string, pattern: RegExp): number => [...output.matchAll(pattern)].reduce((all, match) => all + Number(match[1]), 0);

export const countsOfAva = (output: string): Counts => ({
  passed: [...output.matchAll(/^\s+✔ /gm)].length,
  failed:
    sum(output, /^\s*(\d+) (?:tests?|hooks?) failed/gm) +
    sum(output, /^\s*(\d+) (?:tests? skipped|uncaught exceptions?|unhandled rejections?|known failures?)/gm),
});

export const countsOfCargo = (output: string): Counts => ({
  passed: sum(output, /^test result: .*?(\d+) passed/gm),
  failed: sum(output, /^test result: .*?(\d+) failed/gm) + sum(output, /^test result: .*?(\d+) ignored/gm),
});

export const countsOfConformance = (output: string): Counts => ({
  passed: sum(output, /^(?:critest|crictl).*: (\d+) passed, /gm),
  failed: sum(output, /^(?:critest|crictl).*: \d+ passed, (\d+) failed/gm),
});

/** Of each failed test its name, and the first lines of what ava says of it. */
export function failuresOfAva(output: string): string[] {
  const lines = output.split("\n");
  const failed = lines.flatMap((line) => /^\s+✘ (.*)$/.exec(line)?.[1] ?? []);
  const details = lines.slice(lines.findIndex((line) => DETAILS_BEGIN.test(line)) + 1);
  const isTitle = (line: string, test: string): boolean => /^ {2}\S/.test(line) && test.replace(/^\[\w+\]: /, "").startsWith(line.trim());
  return failed.map((test) => {
    const start = details.findIndex((line) => isTitle(line, test));
    if (start < 0) return test;
    const rest = details.slice(start + 1);
    const next = rest.findIndex((line) => DETAILS_BEGIN.test(line) || failed.some((other) => other !== test && isTitle(line, other)));
    const words = rest.slice(0, next < 0 ? rest.length : next).filter((line) => line.trim() !== "");
    return [test, ...words.slice(0, MOST_LINES).map((line) => line.slice(0, MOST_CHARACTERS))].join("\n");
  });
}

/** The name of each failed test, and where it panicked. */
export function failuresOfCargo(output: string): string[] {
  return [...output.matchAll(/^test (.*) \.\.\. FAILED$/gm), ...output.matchAll(/^(thread '.*' (?:\(\d+\) )?panicked at .*)$/gm)].flatMap(
    ([, words]) => words ?? [],
  );
}
