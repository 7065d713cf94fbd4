// The script that completes our command line in fish, which is told by rules: a condition, and what may stand there. Pure.
import type { CommandSpec, Word } from "./completion-spec.ts";

export function fishScript(specs: readonly CommandSpec[]): string {
  const [program, ...commands] = specs;
  const names = program?.arguments[0] ?? [];
  return [
    "# Completion of berth in fish: berth completion fish | source",
    HELPERS,
    "complete -c berth -f",
    ...rulesOf({
      name: "",
      flags: program?.flags ?? [],
      values: program?.values ?? [],
      arguments: [names],
      repeats: false,
      passesOn: false,
    }),
    ...commands.flatMap(rulesOf),
    "",
  ].join("\n");
}

function rulesOf(spec: CommandSpec): string[] {
  const { name, flags, values } = spec;
  const here = `__berth_at ${quoted(name)}`;
  const valued = new Set(values.flatMap((value) => value.flags));
  const whole = spec.passesOn ? `${here} 0` : here;
  return [
    ...flags.filter((flag) => !valued.has(flag)).map((flag) => `complete -c berth -n ${quoted(whole)} ${flagWord(flag)}`),
    ...values.flatMap((value) =>
      value.flags
        .filter((flag) => flags.includes(flag))
        .map(
          (flag) =>
            `complete -c berth -n ${quoted(whole)} ${flagWord(flag)} ${takesFiles(value.words) ? "-rF" : "-x"}${candidates(value.words)}`,
        ),
    ),
    ...spec.arguments.flatMap((words, index) => {
      if (words.length === 0) return [];
      const count = spec.repeats && index === spec.arguments.length - 1 ? "" : ` ${index}`;
      return [`complete -c berth -n ${quoted(`${here}${count}`)} ${takesFiles(words) ? "-F" : "-f"}${candidates(words)}`];
    }),
  ];
}

const flagWord = (flag: string): string => (flag.startsWith("--") ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`);

const takesFiles = (words: readonly Word[]): boolean => words.includes("@files");

function candidates(words: readonly Word[]): string {
  const said = words
    .filter((word) => word !== "@files")
    .map((word) => (word.startsWith("@") ? `(berth __complete ${word.slice(1)} 2>/dev/null)` : word));
  return said.length === 0 ? "" : ` -a ${quoted(said.join(" "))}`;
}

const quoted = (text: string): string => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;

// Options are left out of the count; one that takes a value counts that value as an argument, which only ever offers too little.
const HELPERS = `
# __berth_at COMMAND [COUNT]: whether that command stands on the line, with so many arguments after it.
function __berth_at
    set -l words (commandline -opc)[2..]
    set -l plain (string match -v -- '-*' $words)
    if test -z "$argv[1]"
        test (count $plain) -eq 0
        return
    end
    test "$plain[1]" = "$argv[1]"; or return 1
    test (count $argv) -lt 2; and return 0
    test (math (count $plain) - 1) -eq $argv[2]
end
`;
