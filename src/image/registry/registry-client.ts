// One registry host and one repository: manifests and blobs over HTTP.
import { Agent, type Dispatcher, request } from "undici";
import { AgentError, messageOf } from "../../base/errors.ts";
import { parseJsonObject } from "../image-config.ts";
import { basicCredentials, parseChallenge, type RegistryAuth, tokenUrl } from "./auth.ts";
import type { RegistryHost } from "./hosts.ts";
import { ACCEPTED_TYPES } from "./manifest.ts";

/** The registry can't be reached, or says that it can't serve now. */
export class RegistryUnavailable extends AgentError {
  constructor(message: string, options?: ErrorOptions) {
    super("unavailable", message, options);
  }
}

const CONNECT_TIMEOUT_MS = 10_000;
const SILENCE_TIMEOUT_MS = 30_000;
const MAX_REDIRECTS = 5;
const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;
const MAX_TOKEN_BYTES = 64 * 1024;
const MAX_ERROR_BYTES = 4096;

export class RegistryClient {
  readonly #host: RegistryHost;
  readonly #repository: string;
  readonly #auth: RegistryAuth | undefined;
  readonly #agent: Agent;
  #authorization: string | undefined;

  constructor(host: RegistryHost, repository: string, auth: RegistryAuth | undefined) {
    this.#host = host;
    this.#repository = repository;
    this.#auth = auth;
    const { ca, clientCertificate, skipVerify } = host;
    this.#agent = new Agent({
      headersTimeout: SILENCE_TIMEOUT_MS,
      bodyTimeout: SILENCE_TIMEOUT_MS,
      connections: 8,
      connect: { timeout: CONNECT_TIMEOUT_MS, rejectUnauthorized: !skipVerify, ...(ca.length > 0 ? { ca: [...ca] } : {}), ...clientCertificate },
    });
  }

  /** @param name a tag or a digest */
  async manifest(name: string, signal: AbortSignal): Promise<{ bytes: Buffer; mediaType: string }> {
    const doing = `get manifest ${name} of ${this.#repository} from ${this.#host.base.host}`;
    const response = await this.#get(`${this.#repository}/manifests/${name}`, { accept: ACCEPTED_TYPES.join(", ") }, doing, signal);
    const bytes = await readBounded(response.body, MAX_MANIFEST_BYTES, doing);
    return { bytes, mediaType: header(response, "content-type").split(";")[0]?.trim() ?? "" };
  }

  async blob(digest: string, signal: AbortSignal): Promise<Dispatcher.ResponseData["body"]> {
    const doing = `get blob ${digest} of ${this.#repository} from ${this.#host.base.host}`;
    return (await this.#get(`${this.#repository}/blobs/${digest}`, {}, doing, signal)).body;
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #get(path: string, headers: Record<string, string>, doing: string, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    const url = new URL(`${this.#host.base.href.replace(/\/$/, "")}/${path}`);
    let response = await this.#follow(url, headers, doing, signal);
    if (response.statusCode === 401 && this.#authorization === undefined) {
      await response.body.dump();
      await this.#signIn(header(response, "www-authenticate"), doing, signal);
      response = await this.#follow(url, headers, doing, signal);
    }
    if (response.statusCode === 200) return response;
    throw asError(response.statusCode, doing, await readBounded(response.body, MAX_ERROR_BYTES, doing).catch(() => Buffer.alloc(0)));
  }

  /** Follows redirects by hand: what signs us in stays with the host that asked for it. */
  async #follow(start: URL, headers: Record<string, string>, doing: string, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    let url = start;
    for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
      const mine = url.origin === start.origin && this.#authorization !== undefined ? { authorization: this.#authorization } : {};
      const response = await this.#send(url, { ...headers, ...mine }, doing, signal);
      const location = header(response, "location");
      if (![301, 302, 303, 307, 308].includes(response.statusCode) || location === "") return response;
      await response.body.dump();
      const next = URL.parse(location, url.href);
      if (next === null || !["http:", "https:"].includes(next.protocol) || (url.protocol === "https:" && next.protocol === "http:")) {
        throw new AgentError("failed-precondition", `${doing}: it redirects to ${JSON.stringify(location.slice(0, 256))}, where we don't go`);
      }
      url = next;
    }
    throw new AgentError("failed-precondition", `${doing}: over ${MAX_REDIRECTS} redirects`);
  }

  async #send(url: URL, headers: Record<string, string>, doing: string, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    try {
      return await request(url, { dispatcher: this.#agent, headers: { "user-agent": "berth", ...headers }, signal });
    } catch (failure) {
      throw transportError(failure, doing, signal);
    }
  }

  async #signIn(challengeHeader: string, doing: string, signal: AbortSignal): Promise<void> {
    const challenge = parseChallenge(challengeHeader);
    const basic = basicCredentials(this.#auth);
    if (this.#auth?.registryToken) {
      this.#authorization = `Bearer ${this.#auth.registryToken}`;
    } else if (challenge?.scheme === "basic" && basic !== undefined) {
      this.#authorization = `Basic ${basic}`;
    } else if (challenge?.scheme === "bearer") {
      const url = tokenUrl(challenge, this.#host.base, this.#repository);
      const response = await this.#send(url, basic === undefined ? {} : { authorization: `Basic ${basic}` }, `${doing}: get token from ${url.host}`, signal);
      const bytes = await readBounded(response.body, MAX_TOKEN_BYTES, doing);
      if (response.statusCode !== 200) throw asError(response.statusCode, `${doing}: get token from ${url.host}`, bytes);
      const json = parseJsonObject(bytes, "token");
      const token = json["token"] ?? json["access_token"];
      if (typeof token !== "string" || /[\r\n]/.test(token)) throw new AgentError("failed-precondition", `${doing}: the token server gave no token`);
      this.#authorization = `Bearer ${token}`;
    }
  }
}

const header = (response: Dispatcher.ResponseData, name: string): string => String([response.headers[name] ?? ""].flat()[0] ?? "");

/** What went wrong between us and the registry. */
export function transportError(failure: unknown, doing: string, signal: AbortSignal): Error {
  if (signal.aborted) return new AgentError("cancelled", `${doing}: the client went away`, { cause: failure });
  if (failure instanceof AgentError) return failure;
  return new RegistryUnavailable(`${doing}: ${messageOf(failure)}`, { cause: failure });
}

function asError(statusCode: number, doing: string, body: Buffer): AgentError {
  const said = body.toString("utf8").replace(/\s+/g, " ").trim();
  const message = `${doing}: HTTP ${statusCode}${said === "" ? "" : `: ${said.slice(0, 512)}`}`;
  if (statusCode === 404) return new AgentError("not-found", message);
  if (statusCode === 401 || statusCode === 403) return new AgentError("failed-precondition", `${message} (unauthorized: check the credentials)`);
  if (statusCode === 429) return new AgentError("resource-exhausted", message);
  if (statusCode >= 500) return new RegistryUnavailable(message);
  return new AgentError("internal", message);
}

async function readBounded(body: AsyncIterable<Buffer>, maxBytes: number, doing: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new AgentError("resource-exhausted", `${doing}: the answer is over ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
