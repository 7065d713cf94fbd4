// Where a registry's images are fetched from: certs.d/<registry>/hosts.toml, containerd's form.
import { readFile } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { parse } from "smol-toml";
import { AgentError, messageOf } from "../../base/errors.ts";

export interface RegistryHost {
  /** "http://127.0.0.1:5000/v2" */
  readonly base: URL;
  readonly skipVerify: boolean;
  /** PEM texts */
  readonly ca: readonly string[];
  readonly clientCertificate: { readonly cert: string; readonly key: string } | undefined;
}

const MAX_FILE_BYTES = 1024 * 1024;
const MAX_HOSTS = 32;

/** The hosts to try, in order; the registry itself comes last. @throws AgentError failed-precondition for a table that can't be read */
export async function registryHosts(configDir: string, registry: string): Promise<RegistryHost[]> {
  for (const name of [registry, "_default"]) {
    const folder = join(configDir, name);
    const file = join(folder, "hosts.toml");
    const text = await readFile(file, "utf8").catch((failure: unknown) => {
      if (isMissing(failure)) return undefined;
      throw new AgentError("failed-precondition", `read ${file}: ${messageOf(failure)}`, { cause: failure });
    });
    if (text !== undefined) return await parseHosts(text.slice(0, MAX_FILE_BYTES), registry, folder, file);
  }
  return [plainHost(defaultServer(registry))];
}

export async function parseHosts(text: string, registry: string, folder: string, file: string): Promise<RegistryHost[]> {
  const refuse = (why: string): AgentError => new AgentError("failed-precondition", `read ${file}: ${why}`);
  let table: Record<string, unknown>;
  try {
    table = parse(text);
  } catch (cause) {
    throw refuse(messageOf(cause));
  }
  const entries = Object.entries(asTable(table["host"]));
  if (entries.length > MAX_HOSTS) throw refuse(`it names over ${MAX_HOSTS} hosts`);
  const server = typeof table["server"] === "string" ? table["server"] : defaultServer(registry);
  const wanted = entries.map(([url, settings]) => [url, asTable(settings)] as const).filter(([, settings]) => mayPull(settings));
  const named = wanted.some(([url]) => url === server);
  return await Promise.all([...wanted, ...(named ? [] : [[server, table] as const])].map(([url, settings]) => readHost(url, settings, folder, refuse)));
}

const isMissing = (failure: unknown): boolean => failure instanceof Error && "code" in failure && (failure.code === "ENOENT" || failure.code === "ENOTDIR");

const asTable = (value: unknown): Record<string, unknown> => (typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : {});

function mayPull(settings: Record<string, unknown>): boolean {
  const capabilities = settings["capabilities"];
  return !Array.isArray(capabilities) || (capabilities.includes("pull") && capabilities.includes("resolve"));
}

async function readHost(url: string, settings: Record<string, unknown>, folder: string, refuse: (why: string) => AgentError): Promise<RegistryHost> {
  const base = baseUrl(url, settings["override_path"] === true);
  if (base === undefined) throw refuse(`${JSON.stringify(url)} is no http or https URL`);
  const read = async (path: unknown): Promise<string> => {
    if (typeof path !== "string") throw refuse("a certificate is no path");
    const whole = isAbsolute(path) ? path : join(folder, path);
    return await readFile(whole, "utf8").catch((failure: unknown) => {
      throw refuse(`read ${whole}: ${messageOf(failure)}`);
    });
  };
  const ca = settings["ca"] === undefined ? [] : [settings["ca"]].flat();
  const client = Array.isArray(settings["client"]) ? settings["client"].flat().slice(0, 2) : [];
  return {
    base,
    skipVerify: settings["skip_verify"] === true,
    ca: await Promise.all(ca.map(read)),
    clientCertificate: client.length === 2 ? { cert: await read(client[0]), key: await read(client[1]) } : undefined,
  };
}

function plainHost(url: string): RegistryHost {
  const base = baseUrl(url, false);
  if (base === undefined) throw new AgentError("invalid-argument", `find registry: ${JSON.stringify(url)} is no URL`);
  return { base, skipVerify: false, ca: [], clientCertificate: undefined };
}

function baseUrl(text: string, whole: boolean): URL | undefined {
  const url = URL.parse(text.includes("://") ? text : `https://${text}`);
  if (url === null || !["http:", "https:"].includes(url.protocol)) return undefined;
  const path = url.pathname.replace(/\/+$/, "");
  url.pathname = whole || path.endsWith("/v2") ? path : `${path}/v2`;
  return url;
}

/** Encrypted, unless the registry is on this very machine. */
function defaultServer(registry: string): string {
  if (registry === "docker.io") return "https://registry-1.docker.io";
  const host = registry.replace(/:\d+$/, "");
  const local = host === "localhost" || host === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(host);
  return `${local ? "http" : "https"}://${registry}`;
}
