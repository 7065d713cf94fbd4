// Where a registry's images are fetched from: certs.d/<registry>/hosts.toml, containerd's form.
import { readFile } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { parse } from "smol-toml";
import { AgentError, messageOf } from "../../base/errors.ts";

export const CAPABILITIES = ["pull", "resolve"] as const;
export type Capability = (typeof CAPABILITIES)[number];

export interface RegistryHost {
  /** "http://127.0.0.1:5000/v2" */
  readonly base: URL;
  /** pull: blobs, and manifests by digest; resolve: what a tag names */
  readonly capabilities: ReadonlySet<Capability>;
  /** It is the registry itself, and no mirror of it. */
  readonly isRegistry: boolean;
  readonly skipVerify: boolean;
  /** PEM texts, beside the system's */
  readonly ca: readonly string[];
  /** PEM texts */
  readonly clientCertificates: readonly { readonly cert: string; readonly key: string }[];
  readonly headers: Readonly<Record<string, string>>;
}

const MAX_FILE_BYTES = 1024 * 1024;
const MAX_HOSTS = 32;

/** The hosts to try, in order; the registry itself comes last. @throws AgentError failed-precondition for a table that can't be read */
export async function registryHosts(configDir: string, registry: string): Promise<RegistryHost[]> {
  // A folder's name may have no colon on some systems; "host_5000_" is what stands there instead.
  for (const name of new Set([registry.replace(/:(\d+)$/, "_$1_"), registry, "_default"])) {
    const folder = join(configDir, name);
    const file = join(folder, "hosts.toml");
    const text = await readFile(file, "utf8").catch((failure: unknown) => {
      if (isMissing(failure)) return undefined;
      throw new AgentError("failed-precondition", `read ${file}: ${messageOf(failure)}`, { cause: failure });
    });
    if (text !== undefined) return await parseHosts(text, registry, folder, file);
  }
  return await parseHosts("", registry, configDir, configDir);
}

export async function parseHosts(text: string, registry: string, folder: string, file: string): Promise<RegistryHost[]> {
  const refuse = (why: string): AgentError => new AgentError("failed-precondition", `read ${file}: ${why}`);
  if (text.length > MAX_FILE_BYTES) throw refuse(`it is over ${MAX_FILE_BYTES} bytes`);
  let table: Record<string, unknown>;
  try {
    table = parse(text);
  } catch (cause) {
    throw refuse(messageOf(cause));
  }
  const mirrors = Object.entries(asTable(table["host"]));
  if (mirrors.length > MAX_HOSTS) throw refuse(`it names over ${MAX_HOSTS} hosts`);
  const server = typeof table["server"] === "string" && table["server"] !== "" ? table["server"] : defaultServer(registry);
  const serverBase = baseUrl(server, table["override_path"] === true);
  const named = mirrors.some(([url]) => baseUrl(url, false)?.origin === serverBase?.origin);
  const entries = [...mirrors, ...(named ? [] : [[server, table] as const])];
  const hosts = await Promise.all(entries.map(([url, settings]) => readHost(url, asTable(settings), serverBase?.origin, folder, refuse)));
  return hosts.filter((host) => host.capabilities.size > 0);
}

const isMissing = (failure: unknown): boolean =>
  failure instanceof Error && "code" in failure && (failure.code === "ENOENT" || failure.code === "ENOTDIR");

const asTable = (value: unknown): Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : {};

type Refuse = (why: string) => AgentError;

async function readHost(
  url: string,
  settings: Record<string, unknown>,
  registryOrigin: string | undefined,
  folder: string,
  refuse: Refuse,
): Promise<RegistryHost> {
  const base = baseUrl(url, settings["override_path"] === true);
  if (base === undefined) throw refuse(`${JSON.stringify(url)} is no http or https URL`);
  const read = async (path: unknown): Promise<string> => {
    if (typeof path !== "string" || path === "") throw refuse(`a certificate of ${url} is no path`);
    const whole = isAbsolute(path) ? path : join(folder, path);
    return await readFile(whole, "utf8").catch((failure: unknown) => {
      throw refuse(`read ${whole}: ${messageOf(failure)}`);
    });
  };
  const { capabilities, ca, client } = settings;
  // A list of pairs, or of files that hold certificate and key both.
  const clients = asList(client).map((each) => [each].flat());
  return {
    base,
    capabilities: new Set(CAPABILITIES.filter((each) => !Array.isArray(capabilities) || capabilities.includes(each))),
    isRegistry: base.origin === registryOrigin,
    skipVerify: settings["skip_verify"] === true,
    ca: await Promise.all(asList(ca).map(read)),
    clientCertificates: await Promise.all(clients.map(async ([cert, key]) => ({ cert: await read(cert), key: await read(key || cert) }))),
    headers: Object.fromEntries(
      Object.entries(asTable(settings["header"])).map(([name, value]) => [name.toLowerCase(), asList(value).map(String).join(", ")]),
    ),
  };
}

const asList = (value: unknown): unknown[] => (value === undefined ? [] : Array.isArray(value) ? value : [value]);

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
