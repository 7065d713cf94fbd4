// What this user signs in to a registry with, in the file that Docker has for it or in the helper that the file names.
import { AgentError } from "../base/errors.ts";
import { RegistryCredentials } from "../generated/berth/v1/berth.ts";
import { runCredentialHelper } from "./credential-helper.ts";
import { asObject, type DockerConfig, dockerConfigPath, readDockerConfig, writeDockerConfig } from "./docker-config.ts";
import { message } from "./message.ts";

type Environment = Readonly<Record<string, string | undefined>>;

// What Docker calls its own registry in the file.
const DOCKER_HUB_KEY = "https://index.docker.io/v1/";
const DOCKER_HUB = ["docker.io", "index.docker.io", "registry-1.docker.io"];
// The name that stands before an identity token in a helper.
const TOKEN_USER = "<token>";

/** @returns undefined where there are none @throws AgentError failed-precondition when file or helper can't be read */
export async function credentialsFor(registry: string, env: Environment): Promise<RegistryCredentials | undefined> {
  const path = dockerConfigPath(env);
  const config = await readDockerConfig(path);
  const helper = helperOf(config, registry);
  const kept = helper === undefined ? undefined : await runCredentialHelper(helper, "get", keyOf(registry), env);
  if (kept !== undefined) return readKept(kept, helper ?? "");
  const entry = keysOf(config, registry)
    .map((key) => asObject(config.auths?.[key]))
    .find((each) => each !== undefined);
  return entry === undefined ? undefined : readEntry(entry, registry, path);
}

/** @returns where they are now, for people */
export async function storeCredentials(registry: string, username: string, password: string, env: Environment): Promise<string> {
  const path = dockerConfigPath(env);
  const config = await readDockerConfig(path);
  const key = keyOf(registry);
  const helper = helperOf(config, registry);
  if (helper !== undefined)
    await runCredentialHelper(helper, "store", JSON.stringify({ ServerURL: key, Username: username, Secret: password }), env);
  const entry = helper === undefined ? { auth: Buffer.from(`${username}:${password}`).toString("base64") } : {};
  await writeDockerConfig(path, { ...config, auths: { ...without(config, registry), [key]: entry } });
  return helper === undefined ? path : `docker-credential-${helper}`;
}

/** @returns false when there were none */
export async function eraseCredentials(registry: string, env: Environment): Promise<boolean> {
  const path = dockerConfigPath(env);
  const config = await readDockerConfig(path);
  const helper = helperOf(config, registry);
  const had = keysOf(config, registry).length > 0;
  if (helper !== undefined) await runCredentialHelper(helper, "erase", keyOf(registry), env);
  if (had) await writeDockerConfig(path, { ...config, auths: without(config, registry) });
  return had || helper !== undefined;
}

const keyOf = (registry: string): string => (registry === "docker.io" ? DOCKER_HUB_KEY : registry);

/** Older writers have a URL for a name; the exact key goes first. */
function keysOf({ auths = {} }: DockerConfig, registry: string): string[] {
  const host = (key: string): string => {
    const bare = key.replace(/^https?:\/\//, "").split("/")[0] ?? "";
    return DOCKER_HUB.includes(bare) ? "docker.io" : bare;
  };
  const keys = Object.keys(auths).filter((key) => host(key) === registry);
  return keys.sort((a, b) => Number(b === keyOf(registry)) - Number(a === keyOf(registry)));
}

function without(config: DockerConfig, registry: string): Record<string, unknown> {
  const keys = keysOf(config, registry);
  return Object.fromEntries(Object.entries(config.auths ?? {}).filter(([key]) => !keys.includes(key)));
}

function helperOf({ credHelpers = {}, credsStore }: DockerConfig, registry: string): string | undefined {
  const helper = credHelpers[registry] ?? credHelpers[keyOf(registry)] ?? credsStore;
  return typeof helper === "string" && helper !== "" ? helper : undefined;
}

function readKept(text: string, helper: string): RegistryCredentials {
  const { Username: username, Secret: secret } = asObject(parsed(text)) ?? {};
  if (typeof username !== "string" || typeof secret !== "string")
    throw new AgentError("failed-precondition", `read answer of docker-credential-${helper}: it has no Username or no Secret`);
  if (username === TOKEN_USER) return message(RegistryCredentials, { identityToken: secret });
  return message(RegistryCredentials, { username, password: secret });
}

function readEntry(entry: Readonly<Record<string, unknown>>, registry: string, path: string): RegistryCredentials | undefined {
  const text = (field: string): string => (typeof entry[field] === "string" ? entry[field] : "");
  if (text("identitytoken") !== "") return message(RegistryCredentials, { identityToken: text("identitytoken") });
  if (text("username") !== "") return message(RegistryCredentials, { username: text("username"), password: text("password") });
  if (text("auth") === "") return undefined;
  const plain = Buffer.from(text("auth"), "base64").toString("utf8").replace(/\0+$/, "");
  const colon = plain.indexOf(":");
  if (colon <= 0) throw new AgentError("failed-precondition", `read ${path}: auth of ${registry} is not base64 of a name and a password`);
  return message(RegistryCredentials, { username: plain.slice(0, colon), password: plain.slice(colon + 1) });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
