// An image's config: its maker's words, so everything is checked and bounded. Pure.
import { AgentError } from "../base/errors.ts";
import { isDigest } from "./reference.ts";

export interface ImageConfig {
  readonly user: string;
  readonly env: readonly string[];
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly workingDir: string;
  readonly stopSignal: string;
  /** folders in the container that hold data; what is mounted there is the caller's to say */
  readonly volumes: readonly string[];
  /** the maker's words for people; nothing on the node is decided from them */
  readonly labels: Readonly<Record<string, string>>;
  /** "80/tcp"; informational */
  readonly exposedPorts: readonly string[];
}

/** How a piece of the image was made; the maker's words for people. */
export interface HistoryEntry {
  /** RFC 3339; "" where the maker gave none */
  readonly created: string;
  readonly createdBy: string;
  readonly comment: string;
  /** it made no layer */
  readonly emptyLayer: boolean;
}

export interface ParsedImageConfig {
  readonly config: ImageConfig;
  /** from the lowest layer; may be empty, and need not fit the layers */
  readonly history: readonly HistoryEntry[];
  readonly architecture: string;
  readonly os: string;
  /** of the layers, from the lowest */
  readonly diffIds: readonly string[];
}

const MAX_LAYERS = 500;
const MAX_LIST = 10_000;
// The kernel takes no longer argument or variable.
const MAX_TEXT = 128 * 1024;
// Records are in memory as long as the image is on the node.
const MAX_CONFIG_CHARACTERS = 1024 * 1024;
const MAX_HISTORY = 1000;
const MAX_HISTORY_TEXT = 4096;

export type JsonObject = Readonly<Record<string, unknown>>;

/** @throws AgentError invalid-argument for what is no JSON object */
export function parseJsonObject(bytes: Uint8Array, what: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch (cause) {
    throw new AgentError("invalid-argument", `read ${what}: it is no JSON`, { cause });
  }
  if (!isObject(value)) throw new AgentError("invalid-argument", `read ${what}: it is no JSON object`);
  return value;
}

export const isObject = (value: unknown): value is JsonObject => typeof value === "object" && value !== null && !Array.isArray(value);

/** @throws AgentError invalid-argument */
export function parseImageConfig(bytes: Uint8Array): ParsedImageConfig {
  const json = parseJsonObject(bytes, "image config");
  const config = isObject(json["config"]) ? json["config"] : {};
  const rootfs = isObject(json["rootfs"]) ? json["rootfs"] : {};
  const diffIds = texts(rootfs["diff_ids"], "rootfs.diff_ids");
  if (diffIds.length > MAX_LAYERS) throw refuse(`it has over ${MAX_LAYERS} layers`);
  const bad = diffIds.find((digest) => !isDigest(digest));
  if (bad !== undefined) throw refuse(`${JSON.stringify(bad.slice(0, 100))} is no digest`);
  const parsed = {
    config: {
      user: text(config["User"], "User"),
      env: texts(config["Env"], "Env"),
      entrypoint: texts(config["Entrypoint"], "Entrypoint"),
      cmd: texts(config["Cmd"], "Cmd"),
      workingDir: absolute(text(config["WorkingDir"], "WorkingDir")),
      stopSignal: text(config["StopSignal"], "StopSignal"),
      volumes: keys(config["Volumes"], "Volumes").map(volume),
      labels: Object.fromEntries(keys(config["Labels"], "Labels").map((key) => [key, label(config["Labels"], key)])),
      exposedPorts: keys(config["ExposedPorts"], "ExposedPorts"),
    },
    history: parseHistory(json["history"]),
    architecture: text(json["architecture"], "architecture"),
    os: text(json["os"], "os"),
    diffIds,
  };
  if (JSON.stringify(parsed.config).length > MAX_CONFIG_CHARACTERS)
    throw refuse(`what it says of containers is over ${MAX_CONFIG_CHARACTERS} characters`);
  return parsed;
}

// Nothing depends on it, so what is odd or too much is left out, and the image is not refused for it.
function parseHistory(value: unknown): HistoryEntry[] {
  if (!Array.isArray(value)) return [];
  const entries = value.slice(0, MAX_HISTORY).map((each: unknown) => historyEntry(isObject(each) ? each : {}));
  return JSON.stringify(entries).length > MAX_CONFIG_CHARACTERS ? [] : entries;
}

function historyEntry(json: JsonObject): HistoryEntry {
  const cut = (field: unknown): string => (typeof field === "string" ? field.slice(0, MAX_HISTORY_TEXT) : "");
  return {
    created: cut(json["created"]),
    createdBy: cut(json["created_by"]),
    comment: cut(json["comment"]),
    emptyLayer: json["empty_layer"] === true,
  };
}

const refuse = (why: string): AgentError => new AgentError("invalid-argument", `read image config: ${why}`);

function text(value: unknown, field: string): string {
  if (value === undefined || value === null) return "";
  if (typeof value !== "string" || value.length > MAX_TEXT || value.includes("\0")) throw refuse(`${field} is no text, or too long`);
  return value;
}

function texts(value: unknown, field: string): string[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value) || value.length > MAX_LIST) throw refuse(`${field} is no list, or too long`);
  return value.map((each: unknown) => text(each, field));
}

/** The keys of an object whose values say nothing, as Go writes a set. */
function keys(value: unknown, field: string): string[] {
  if (value === undefined || value === null) return [];
  if (!isObject(value)) throw refuse(`${field} is no object`);
  return texts(Object.keys(value), field);
}

const label = (labels: unknown, key: string): string =>
  text(isObject(labels) ? labels[key] : "", `label ${JSON.stringify(key.slice(0, 100))}`);

/** Docker takes a folder without a slash as one below the root. */
const absolute = (folder: string): string => (folder === "" || folder.startsWith("/") ? folder : `/${folder}`);

function volume(path: string): string {
  if (!path.startsWith("/") || path.split("/").includes(".."))
    throw refuse(`volume ${JSON.stringify(path.slice(0, 256))} is no absolute path, or leads upwards`);
  return path;
}
