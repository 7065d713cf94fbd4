// Signing in to one host for one repository. A secret goes to the host it is for and to the token server that the host names,
// and to no other.
import { AgentError } from "../../base/errors.ts";
import { parseJsonObject } from "../image-config.ts";
import { type Challenge, parseChallenge, tokenUrl } from "./challenge.ts";
import type { Credentials } from "./credentials.ts";
import { statusError } from "./failures.ts";
import { type HttpClient, readBounded, type Send } from "./http.ts";

const MAX_TOKEN_BYTES = 64 * 1024;

export class SignIn {
  readonly #http: HttpClient;
  readonly #host: URL;
  readonly #repository: string;
  readonly #credentials: Credentials | undefined;
  #authorization: string | undefined;
  #underWay: Promise<string | undefined> | undefined;

  /** @param credentials only those that the host may have */
  constructor(http: HttpClient, host: URL, repository: string, credentials: Credentials | undefined) {
    this.#http = http;
    this.#host = host;
    this.#repository = repository;
    this.#credentials = credentials;
  }

  /** The header Authorization, once we have signed in. */
  get authorization(): string | undefined {
    return this.#authorization;
  }

  /**
   * Answers a challenge; several requests that are challenged at once are answered once.
   *
   * @param refused what was sent with the request, a token that has run out perhaps
   * @returns undefined when we have nothing else to show
   */
  async answer(challenge: string, refused: string | undefined, doing: string, signal: AbortSignal): Promise<string | undefined> {
    if (this.#authorization !== refused) return this.#authorization;
    this.#underWay ??= this.#signIn(parseChallenge(challenge), doing, signal).finally(() => {
      this.#underWay = undefined;
    });
    this.#authorization = (await this.#underWay) ?? this.#authorization;
    return this.#authorization === refused ? undefined : this.#authorization;
  }

  async #signIn(challenge: Challenge | undefined, doing: string, signal: AbortSignal): Promise<string | undefined> {
    const credentials = this.#credentials;
    if (credentials?.kind === "registry") return `Bearer ${credentials.token}`;
    if (challenge?.scheme === "basic") return credentials?.kind === "basic" ? `Basic ${credentials.base64}` : undefined;
    return challenge === undefined ? undefined : await this.#token(challenge, doing, signal);
  }

  /** @source distribution specification of tokens; the OAuth2 form for identity tokens */
  async #token(challenge: Challenge, doing: string, signal: AbortSignal): Promise<string> {
    const url = tokenUrl(challenge, this.#host, this.#repository);
    const asking = `${doing}: get token from ${url.host}`;
    const answer = await this.#http.send(...tokenRequest(url, this.#credentials), asking, signal);
    const bytes = await readBounded(answer, MAX_TOKEN_BYTES, asking, signal);
    if (answer.statusCode !== 200) throw statusError(answer.statusCode, asking, bytes, answer.header("retry-after"));
    const json = parseJsonObject(bytes, `answer of ${url.host}`);
    const token = json["token"] ?? json["access_token"];
    if (typeof token !== "string" || token === "" || /[^\x21-\x7e]/.test(token))
      throw new AgentError("failed-precondition", `${asking}: the answer has none`);
    return `Bearer ${token}`;
  }
}

function tokenRequest(url: URL, credentials: Credentials | undefined): [URL, Send] {
  if (credentials?.kind !== "identity")
    return [url, { method: "GET", headers: credentials === undefined ? {} : { authorization: `Basic ${basic(credentials)}` } }];
  const form = new URLSearchParams(url.searchParams);
  form.set("grant_type", "refresh_token");
  form.set("refresh_token", credentials.token);
  form.set("client_id", "berth");
  const bare = new URL(url);
  bare.search = "";
  return [bare, { method: "POST", headers: { "content-type": "application/x-www-form-urlencoded" }, body: form.toString() }];
}

const basic = (credentials: Credentials): string => (credentials.kind === "basic" ? credentials.base64 : "");
