// `berthd --help` and the reference page, both from the table.
import { SETTINGS, type Setting } from "./table.ts";

const settings = (): readonly Setting<unknown>[] => Object.values(SETTINGS);

export function helpText(): string {
  const rows = settings().map(({ name, default: fallback, doc }) => {
    const given = fallback === "" ? "" : ` [${fallback}]`;
    return `  --${name.padEnd(22)} ${doc}${given}`;
  });
  return [
    "berthd: a node agent and container runtime that speaks the Kubernetes CRI. Needs root.",
    "",
    "Usage: berthd [--config FILE] [settings]",
    "",
    ...rows,
    `  --${"config".padEnd(22)} Settings as TOML, by the names above. [/etc/berth/berth.toml where it exists]`,
    `  --${"reset".padEnd(22)} Take down what this node has, and end: pods, images (with pods), or all (with records and folders).`,
    `  --${"version".padEnd(22)} Print the version.`,
    `  --${"help".padEnd(22)} Print this.`,
    "",
  ].join("\n");
}

/** docs/configuration.md */
export function referencePage(): string {
  const rows = settings().map(
    ({ name, default: fallback, unit, doc }) => `| \`${name}\` | ${fallback === "" ? "" : `\`${fallback}\``} | ${unit} | ${doc} |`,
  );
  return [
    "# Configuration",
    "",
    "berthd takes its settings from `/etc/berth/berth.toml` (another file with `--config`), and from its command line, where",
    "each setting is a flag of the same name. The command line wins. A name that does not exist, or a value out of its",
    "range, ends the start with an error that names both.",
    "",
    "```toml",
    'log-level = "debug"',
    'pod-subnet = "10.90.0.0/16"',
    "```",
    "",
    "| setting | default | unit | what it does |",
    "| --- | --- | --- | --- |",
    ...rows,
    "",
    "This page is made from the table in `src/config/table.ts`.",
    "",
  ].join("\n");
}
