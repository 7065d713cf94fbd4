// Settings from three places: the defaults, then the file, then the command line.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { parse } from "smol-toml";
import { AgentError, messageOf } from "../base/errors.ts";
import { helpText } from "./help.ts";
import { type Config, SETTINGS, type Setting } from "./table.ts";

export interface Program {
  /** where berthd itself is; helper and shim are looked for there */
  readonly programDir: string;
  readonly version: string;
}

const DEFAULT_FILE = "/etc/berth/berth.toml";
const MAX_FILE_BYTES = 1024 * 1024;

/** A setting as it was taken. */
interface TakenSetting {
  readonly name: string;
  readonly value: string;
  /** "default", "--root", "/etc/berth/berth.toml: root" */
  readonly from: string;
}

const RESET_SCOPES = ["pods", "images", "all"] as const;
/** What a node is to lose: its pods; its images too; its records and folders too. */
export type ResetScope = (typeof RESET_SCOPES)[number];

export interface Loaded {
  /** take the node down, and end */
  readonly reset: ResetScope | undefined;
  readonly config: Config;
  /** in the order of the table */
  readonly settings: readonly TakenSetting[];
}

type Texts = Map<string, { readonly text: string; readonly from: string }>;

/** @throws AgentError invalid-argument that names the setting and where it stands */
export function loadConfig(argv: readonly string[], program: Program): Loaded | { readonly text: string } {
  const names = Object.values(SETTINGS).map((setting: Setting<unknown>) => setting.name);
  const strings = Object.fromEntries(["config", "reset", ...names].map((name) => [name, { type: "string" as const }]));
  let flags: Record<string, unknown>;
  try {
    flags = parseArgs({
      args: [...argv],
      options: { ...strings, help: { type: "boolean", short: "h" }, version: { type: "boolean" } },
      strict: true,
    }).values;
  } catch (cause) {
    throw new AgentError("invalid-argument", `read command line: ${messageOf(cause)}`, { cause });
  }
  if (flags["help"] === true) return { text: helpText() };
  if (flags["version"] === true) return { text: `berthd ${program.version}\n` };
  const texts = readFile(typeof flags["config"] === "string" ? flags["config"] : undefined, names);
  for (const name of names) {
    const text = flags[name];
    if (typeof text === "string") texts.set(name, { text, from: `--${name}` });
  }
  const taken = new Map<string, TakenSetting>();
  const config = toConfig(texts, program, taken);
  return { config, reset: resetScope(flags["reset"]), settings: names.flatMap((name) => taken.get(name) ?? []) };
}

function readFile(named: string | undefined, names: readonly string[]): Texts {
  const file = named ?? DEFAULT_FILE;
  if (named === undefined && !existsSync(file)) return new Map();
  let table: Record<string, unknown>;
  try {
    const text = readFileSync(file, "utf8");
    if (text.length > MAX_FILE_BYTES) throw new Error(`it is over ${MAX_FILE_BYTES} bytes`);
    table = parse(text);
  } catch (cause) {
    throw new AgentError("invalid-argument", `read ${file}: ${messageOf(cause)}`, { cause });
  }
  const texts: Texts = new Map();
  for (const [name, value] of Object.entries(table)) {
    if (!names.includes(name)) throw new AgentError("invalid-argument", `read ${file}: there is no setting ${JSON.stringify(name)}`);
    if (!["string", "number", "bigint", "boolean"].includes(typeof value)) {
      throw new AgentError("invalid-argument", `read ${file}: ${name} is neither a text, a number nor a truth value`);
    }
    texts.set(name, { text: String(value), from: `${file}: ${name}` });
  }
  return texts;
}

function resetScope(flag: unknown): ResetScope | undefined {
  if (flag === undefined) return undefined;
  const scope = RESET_SCOPES.find((each) => each === flag);
  if (scope === undefined)
    throw new AgentError("invalid-argument", `read --reset: reset ${JSON.stringify(flag)} is not one of ${RESET_SCOPES.join(", ")}`);
  return scope;
}

/** @param taken is filled with each setting that is read */
function toConfig(texts: Texts, program: Program, taken: Map<string, TakenSetting>): Config {
  const read = <T>(setting: Setting<T>, fallback = setting.default): T => {
    const given = texts.get(setting.name);
    taken.set(setting.name, { name: setting.name, value: given?.text ?? fallback, from: given?.from ?? "default" });
    try {
      return setting.read(given?.text ?? fallback);
    } catch (cause) {
      throw new AgentError("invalid-argument", `read ${given?.from ?? setting.name}: ${messageOf(cause)}`, { cause });
    }
  };
  const state = read(SETTINGS.state);
  const imageGcHighPercent = read(SETTINGS.imageGcHighPercent);
  const imageGcLowPercent = read(SETTINGS.imageGcLowPercent);
  if (imageGcLowPercent >= imageGcHighPercent)
    throw new AgentError(
      "invalid-argument",
      `read ${SETTINGS.imageGcLowPercent.name}: ${imageGcLowPercent} is not less than ${SETTINGS.imageGcHighPercent.name}, ${imageGcHighPercent}`,
    );
  return {
    root: read(SETTINGS.root),
    state,
    socket: read(SETTINGS.socket, join(state, "berth.sock")),
    socketMode: read(SETTINGS.socketMode),
    logLevel: read(SETTINGS.logLevel),
    helperPath: read(SETTINGS.helperPath, join(program.programDir, "berth-helper")),
    shimPath: read(SETTINGS.shimPath, join(program.programDir, "berth-shim")),
    helperSocket: read(SETTINGS.helperSocket, join(state, "helper.sock")),
    manageHelper: read(SETTINGS.manageHelper),
    runtime: read(SETTINGS.runtime),
    moreRuntimes: read(SETTINGS.moreRuntimes),
    cdiSpecDirs: read(SETTINGS.cdiSpecDirs),
    podSubnet: read(SETTINGS.podSubnet),
    bridge: read(SETTINGS.bridge),
    networkMtu: read(SETTINGS.networkMtu),
    registryConfigDir: read(SETTINGS.registryConfigDir),
    cgroupParent: read(SETTINGS.cgroupParent),
    containerPidsLimit: read(SETTINGS.containerPidsLimit),
    strict: read(SETTINGS.strict),
    selinux: read(SETTINGS.selinux),
    runtimeTimeoutSeconds: read(SETTINGS.runtimeTimeoutSeconds),
    imageGcHighPercent,
    imageGcLowPercent,
    imageGcMinAgeSeconds: read(SETTINGS.imageGcMinAgeSeconds),
    streamAddress: read(SETTINGS.streamAddress),
    streamPort: read(SETTINGS.streamPort),
    streamIdleTimeoutSeconds: read(SETTINGS.streamIdleTimeoutSeconds),
    containerLogMaxBytes: read(SETTINGS.containerLogMaxBytes),
    containerLogMaxFiles: read(SETTINGS.containerLogMaxFiles),
    checkpoints: read(SETTINGS.checkpoints),
  };
}
