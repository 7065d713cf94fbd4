// The file in which Docker, podman and others keep what a user signs in with: $DOCKER_CONFIG/config.json, or ~/.docker/config.json.
// What we don't know in it stays as it is.
import { mkdir, readFile, realpath } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { AgentError, messageOf } from "../base/errors.ts";
import { writeNewFile } from "./new-file.ts";

type Json = Readonly<Record<string, unknown>>;
type Environment = Readonly<Record<string, string | undefined>>;

export interface DockerConfig extends Json {
  readonly auths?: Json;
  readonly credHelpers?: Json;
}

const MAX_FILE_CHARACTERS = 1024 * 1024;

export const dockerConfigPath = ({ DOCKER_CONFIG, HOME }: Environment): string =>
  join(DOCKER_CONFIG || join(HOME || homedir(), ".docker"), "config.json");

/** A file that is not there is empty. @throws AgentError failed-precondition for what is no JSON object */
export async function readDockerConfig(path: string): Promise<DockerConfig> {
  const refuse = (why: string): AgentError => new AgentError("failed-precondition", `read ${path}: ${why}`);
  const text = await readFile(path, "utf8").catch((failure: NodeJS.ErrnoException) => {
    if (failure.code === "ENOENT") return "{}";
    throw refuse(messageOf(failure));
  });
  if (text.length > MAX_FILE_CHARACTERS) throw refuse(`it is over ${MAX_FILE_CHARACTERS} characters`);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // The parser's words repeat what stands there: it may be a password.
    throw refuse("it is no JSON");
  }
  const config = asObject(json);
  if (config === undefined) throw refuse("it is no JSON object");
  return { ...config, auths: asObject(config["auths"]) ?? {}, credHelpers: asObject(config["credHelpers"]) ?? {} };
}

/** For its owner's eyes only. A link stays a link. */
export async function writeDockerConfig(path: string, { auths = {}, credHelpers = {}, ...others }: DockerConfig): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const target = await realpath(path).catch(() => path);
  const config = { ...others, auths, ...(Object.keys(credHelpers).length > 0 ? { credHelpers } : {}) };
  await writeNewFile(target, (append) => append(Buffer.from(`${JSON.stringify(config, null, "\t")}\n`)), 0o600);
}

export const asObject = (value: unknown): Json | undefined =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined;
