// Scripts that complete our command line in a shell. What may stand where is the same text for bash and zsh, since they agree on
// that much of the language; how candidates are handed over is each one's own. fish has a file of its own. Pure.
import type { CommandSpec, Word } from "./completion-spec.ts";
import { fishScript } from "./completion-fish.ts";

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];
type PosixShell = Exclude<Shell, "fish">;

export function completionScript(shell: Shell, specs: readonly CommandSpec[]): string {
  if (shell === "fish") return fishScript(specs);
  const tables = [
    table("__berth_takes_value", "$1:$2:$3", specs.flatMap(takingValue)),
    table("__berth_value", "$1:$3", specs.flatMap(valuesOf)),
    table("__berth_flags", "$1:$2", specs.flatMap(flagsOf)),
    table("__berth_argument", "$1:$2", specs.flatMap(argumentsOf)),
  ];
  return `${HEAD[shell]}${COMMON}\n${tables.join("\n")}\n${TAIL[shell]}`;
}

interface Case {
  readonly patterns: readonly string[];
  readonly does: string;
}

// Of the command "", which is the program, and of one that passes options on, only what stands before the first argument.
const countOf = ({ passesOn }: CommandSpec): string => (passesOn ? "0" : "*");

const takingValue = (spec: CommandSpec): Case[] =>
  oneCase(
    spec.values.flatMap(({ flags }) => flags.map((flag) => `${quoted(spec.name)}:${countOf(spec)}:${flag}`)),
    "return 0",
  );

const valuesOf = ({ name, values }: CommandSpec): Case[] =>
  values
    .filter(({ words }) => words.length > 0)
    .map(({ flags, words }) => ({ patterns: flags.map((flag) => `${quoted(name)}:${flag}`), does: say(words) }));

const flagsOf = (spec: CommandSpec): Case[] =>
  spec.flags.length === 0 ? [] : [{ patterns: [`${quoted(spec.name)}:${countOf(spec)}`], does: say(spec.flags) }];

const argumentsOf = ({ name, arguments: all, repeats }: CommandSpec): Case[] =>
  all.flatMap((words, index) => {
    const count = repeats && index === all.length - 1 ? "*" : String(index);
    return words.length === 0 ? [] : [{ patterns: [`${quoted(name)}:${count}`], does: say(words) }];
  });

const oneCase = (patterns: readonly string[], does: string): Case[] => (patterns.length === 0 ? [] : [{ patterns, does }]);

const say = (words: readonly Word[]): string => `__berth_say ${words.map(quoted).join(" ")}`;

const quoted = (word: string): string => (/^[\w@-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

function table(name: string, key: string, cases: readonly Case[]): string {
  const lines = cases.map(({ patterns, does }) => `    ${patterns.join(" | ")}) ${does} ;;`);
  return `${name}() {\n    case ${key} in\n${lines.join("\n")}\n    *) return 1 ;;\n    esac\n}\n`;
}

const COMMON = `
# Words as they are, and the names of what is on the node: @pods, @containers, @images.
__berth_say() {
    while [ $# -gt 0 ]; do
        case $1 in
        @files) echo @files ;;
        @*) berth __complete "\${1#@}" 2>/dev/null ;;
        *) printf '%s\\n' "$1" ;;
        esac
        shift
    done
}

# __berth_candidates WORD PREVIOUS-WORD...: what WORD may become, one a line; @files for the name of a file.
__berth_candidates() {
    local current=$1 command= count=0
    shift
    while [ $# -gt 0 ]; do
        if __berth_takes_value "$command" $count "$1"; then
            if [ $# -eq 1 ]; then
                __berth_value "$command" $count "$1"
                return
            fi
            shift
        else
            case $1 in
            -*) ;;
            *) if [ -z "$command" ]; then command=$1; else count=$((count + 1)); fi ;;
            esac
        fi
        shift
    done
    case $current in
    -*) __berth_flags "$command" $count ;;
    *) __berth_argument "$command" $count ;;
    esac
}
`;

const HEAD: Readonly<Record<PosixShell, string>> = {
  bash: "# Completion of berth in bash: source <(berth completion bash)\n",
  zsh: "#compdef berth\n# Completion of berth in zsh, after compinit: source <(berth completion zsh)\n",
};

const TAIL: Readonly<Record<PosixShell, string>> = {
  bash: `_berth() {
    local line=\${COMP_LINE:0:COMP_POINT} words=() candidate file
    read -ra words <<<"$line"
    [[ $line == *[[:space:]] ]] && words+=('')
    local last=$((\${#words[@]} - 1))
    local current=\${words[last]}
    COMPREPLY=()
    while IFS= read -r candidate; do
        if [[ $candidate == @files ]]; then
            compopt -o filenames 2>/dev/null
            while IFS= read -r file; do COMPREPLY+=("$file"); done < <(compgen -f -- "$current")
        elif [[ $candidate == "$current"* ]]; then
            COMPREPLY+=("$candidate")
        fi
    done < <(__berth_candidates "$current" "\${words[@]:1:last-1}")
    # To bash a colon begins another word, and it replaces that one only.
    if [[ $current == *:* && $COMP_WORDBREAKS == *:* ]]; then
        COMPREPLY=("\${COMPREPLY[@]#"\${current%"\${current##*:}"}"}")
    fi
}
complete -F _berth berth
`,
  zsh: `_berth() {
    local -a names
    local candidate files=
    for candidate in "\${(@f)$(__berth_candidates "$PREFIX" "\${(@)words[2,CURRENT-1]}")}"; do
        case $candidate in
        '') ;;
        @files) files=1 ;;
        *) names+=("$candidate") ;;
        esac
    done
    (( \${#names} )) && compadd -- "\${names[@]}"
    [[ -n $files ]] && _files
}
if [[ \${funcstack[1]} == _berth ]]; then _berth "$@"; else compdef _berth berth; fi
`,
};
