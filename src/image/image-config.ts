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
}

export interface ParsedImageConfig {
  readonly config: ImageConfig;
  readonly architecture: string;
  readonly os: string;
  /** of the layers, from the lowest */
  readonly diffIds: readonly string[];
}

const MAX_LAYERS = 500;
const MAX_LIST = 10_000;
const MAX_TEXT = 1024 * 1024;

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
  return {
    config: {
      user: text(config["User"], "User"),
      env: texts(config["Env"], "Env"),
      entrypoint: texts(config["Entrypoint"], "Entrypoint"),
      cmd: texts(config["Cmd"], "Cmd"),
      workingDir: text(config["WorkingDir"], "WorkingDir"),
      stopSignal: text(config["StopSignal"], "StopSignal"),
    },
    architecture: text(json["architecture"], "architecture"),
    os: text(json["os"], "os"),
    diffIds,
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
