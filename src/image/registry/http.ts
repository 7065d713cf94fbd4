// HTTP as registries need it: certificates of the host, redirects followed by hand, bounded time and answers.
import { createSecureContext, getCACertificates, type SecureContext } from "node:tls";
import type { Agent, Dispatcher } from "undici";
import { AgentError } from "../../base/errors.ts";
import { transportError } from "./failures.ts";
import type { RegistryHost } from "./hosts.ts";

export interface Answer {
  readonly url: URL;
  readonly statusCode: number;
  readonly body: Dispatcher.ResponseData["body"];
  header(name: string): string;
}

export interface Send {
  readonly method: "GET" | "POST";
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface Timeouts {
  readonly connectMs: number;
  /** without a byte */
  readonly silenceMs: number;
}

const TIMEOUTS: Timeouts = { connectMs: 10_000, silenceMs: 30_000 };
const MAX_REDIRECTS = 5;
const REDIRECTS = [301, 302, 303, 307, 308];

// A megabyte of code that only a pull needs. Bundled, a CommonJS module has its default export alone.
const loadUndici = async () => (await import("undici")).default;
type Undici = Awaited<ReturnType<typeof loadUndici>>;

let systemCa: readonly string[] | undefined;
const caOfSystem = (): readonly string[] => {
  // Reading them takes tens of milliseconds, so once; where the system has none, Node's own stand in.
  systemCa ??= [...new Set([...orBundled(getCACertificates("system")), ...getCACertificates("extra")])];
  return systemCa;
};
const orBundled = (certificates: string[]): string[] => (certificates.length > 0 ? certificates : getCACertificates("bundled"));

export class HttpClient {
  readonly #host: RegistryHost;
  readonly #timeouts: Timeouts;
  // The host's certificates, secrets and exceptions are for the host; where it sends us is a stranger.
  #own: Agent | undefined;
  #strange: Agent | undefined;

  constructor(host: RegistryHost, timeouts: Timeouts = TIMEOUTS) {
    this.#host = host;
    this.#timeouts = timeouts;
  }

  async send(url: URL, { method, headers, body }: Send, doing: string, signal: AbortSignal): Promise<Answer> {
    const isOwn = url.origin === this.#host.base.origin;
    try {
      const undici = await loadUndici();
      const response = await undici.request(url, {
        method,
        dispatcher: isOwn ? this.#ownAgent(undici) : this.#strangeAgent(undici),
        headers: { "user-agent": "berth", ...(isOwn ? this.#host.headers : {}), ...headers },
        ...(body === undefined ? {} : { body }),
        signal,
      });
      return {
        url,
        statusCode: response.statusCode,
        body: response.body,
        header: (name) => [response.headers[name] ?? ""].flat()[0] ?? "",
      };
    } catch (failure) {
      throw transportError(failure, doing, signal);
    }
  }

  /** GET, with redirects. @param secret goes to the host itself only */
  async get(
    start: URL,
    headers: Readonly<Record<string, string>>,
    secret: Readonly<Record<string, string>>,
    doing: string,
    signal: AbortSignal,
  ): Promise<Answer> {
    let url = start;
    for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
      const isOwn = url.origin === this.#host.base.origin;
      const answer = await this.send(url, { method: "GET", headers: { ...headers, ...(isOwn ? secret : {}) } }, doing, signal);
      const location = answer.header("location");
      if (!REDIRECTS.includes(answer.statusCode) || location === "") return answer;
      await answer.body.dump();
      const next = URL.parse(location, url.href);
      if (next === null || !["http:", "https:"].includes(next.protocol) || (url.protocol === "https:" && next.protocol === "http:")) {
        throw new AgentError(
          "failed-precondition",
          `${doing}: it redirects to ${JSON.stringify(location.slice(0, 256))}, where we don't go`,
        );
      }
      url = next;
    }
    throw new AgentError("failed-precondition", `${doing}: over ${MAX_REDIRECTS} redirects`);
  }

  async close(): Promise<void> {
    await Promise.all([this.#own?.destroy(), this.#strange?.destroy()]);
  }

  #ownAgent(undici: Undici): Agent {
    const { base, ca, clientCertificates, skipVerify } = this.#host;
    const tls = (): SecureContext =>
      createSecureContext({
        ca: [...caOfSystem(), ...ca],
        cert: clientCertificates.map(({ cert }) => cert),
        key: clientCertificates.map(({ key }) => key),
      });
    this.#own ??= this.#agent(undici, base.protocol === "https:" ? { secureContext: tls(), rejectUnauthorized: !skipVerify } : {});
    return this.#own;
  }

  #strangeAgent(undici: Undici): Agent {
    this.#strange ??= this.#agent(undici, { secureContext: createSecureContext({ ca: [...caOfSystem()] }) });
    return this.#strange;
  }

  #agent({ Agent }: Undici, tls: { secureContext?: SecureContext; rejectUnauthorized?: boolean }): Agent {
    const { connectMs, silenceMs } = this.#timeouts;
    return new Agent({ headersTimeout: silenceMs, bodyTimeout: silenceMs, connections: 8, connect: { timeout: connectMs, ...tls } });
  }
}

/** @throws AgentError resource-exhausted when more comes, RegistryUnavailable when the rest does not come */
export async function readBounded(answer: Answer, maxBytes: number, doing: string, signal: AbortSignal): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of answer.body as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > maxBytes) throw new AgentError("resource-exhausted", `${doing}: the answer is over ${maxBytes} bytes`);
      chunks.push(chunk);
    }
  } catch (failure) {
    throw transportError(failure, doing, signal);
  }
  return Buffer.concat(chunks);
}
