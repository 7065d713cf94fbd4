// One registry host and one repository: manifests and blobs over HTTP.
import { createHash } from "node:crypto";
import { type Backoff, withBackoff } from "../../base/backoff.ts";
import { AgentError, kindOf, messageOf } from "../../base/errors.ts";
import { throwIfAborted } from "../abortable-calls.ts";
import { isDigest, type Reference, repository } from "../reference.ts";
import { areFor, readCredentials, type RegistryAuth } from "./credentials.ts";
import { isRegistryUnavailable, PassingFailure, statusError, transportError } from "./failures.ts";
import type { RegistryHost } from "./hosts.ts";
import { type Answer, HttpClient, readBounded } from "./http.ts";
import { ACCEPTED_TYPES, type Document, MAX_DOCUMENT_BYTES, parseDocument } from "./manifest.ts";
import { SignIn } from "./sign-in.ts";

const MAX_ERROR_BYTES = 4096;
const MAX_RESUMED = 5;
const PARTIAL = 206;

/** How long a request is made again when its failure may pass. */
export const PATIENT: Backoff = { firstMs: 200, mostMs: 5000, jitter: 0.5, tries: 5, giveUpMs: 30_000 };
/** Where another host can be asked at once. */
export const IMPATIENT: Backoff = { ...PATIENT, tries: 1 };

export interface FetchedDocument {
  readonly document: Document;
  /** of the bytes */
  readonly digest: string;
  readonly bytes: Buffer;
}

export class RegistryClient {
  readonly host: RegistryHost;
  readonly #reference: Reference;
  readonly #http: HttpClient;
  readonly #signIn: SignIn;
  readonly #patience: Backoff;

  constructor(host: RegistryHost, reference: Reference, auth: RegistryAuth | undefined, patience: Backoff) {
    this.host = host;
    this.#reference = reference;
    this.#patience = patience;
    this.#http = new HttpClient(host);
    const mine = areFor(auth?.serverAddress ?? "", host.base, reference.registry, host.isRegistry);
    this.#signIn = new SignIn(this.#http, host.base, reference.path, mine ? readCredentials(auth) : undefined);
  }

  /**
   * @param name a tag or a digest
   * @param expected the digest it must have; "" takes what comes
   * @throws AgentError invalid-argument for a document that is not what it was said to be
   */
  async document(name: string, expected: string, signal: AbortSignal): Promise<FetchedDocument> {
    const doing = this.#doing("get manifest", name);
    const { answer, bytes } = await this.#patiently(signal, async () => {
      const answer = await this.#get(`manifests/${name}`, { accept: ACCEPTED_TYPES.join(", ") }, doing, signal);
      return { answer, bytes: await readBounded(answer, MAX_DOCUMENT_BYTES, doing, signal) };
    });
    const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
    const told = answer.header("docker-content-digest");
    const wrong = [expected, isDigest(told) ? told : ""].find((each) => each !== "" && each !== digest);
    if (wrong !== undefined) throw new AgentError("invalid-argument", `${doing}: the digest of what came is ${digest}, and not ${wrong}`);
    return { document: parseDocument(bytes, answer.header("content-type").split(";")[0]?.trim() ?? ""), digest, bytes };
  }

  /**
   * The bytes of a blob. A connection that breaks is taken up again where it broke, as long as each one brings something.
   *
   * @throws AgentError also while it is read
   */
  async blob(digest: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    const doing = this.#doing("get blob", digest);
    const get = (headers: Record<string, string>): Promise<Answer> =>
      this.#patiently(signal, () => this.#get(`blobs/${digest}`, headers, doing, signal));
    return this.#read(await get({}), (received) => get({ range: `bytes=${received}-` }), doing, signal);
  }

  async close(): Promise<void> {
    await this.#http.close();
  }

  async *#read(
    first: Answer,
    resume: (received: number) => Promise<Answer>,
    doing: string,
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array> {
    let answer = first;
    let received = 0;
    for (let resumed = 0; ; resumed++) {
      const before = received;
      // A server that knows no ranges begins at the beginning, and one may begin where it likes.
      let known = received - firstByte(answer);
      if (known < 0) throw new AgentError("invalid-argument", `${doing}: asked for byte ${received} on, it sent another part`);
      try {
        for await (const chunk of answer.body as AsyncIterable<Uint8Array>) {
          const fresh = chunk.subarray(Math.min(known, chunk.length));
          known -= chunk.length - fresh.length;
          received += fresh.length;
          if (fresh.length > 0) yield fresh;
        }
        return;
      } catch (failure) {
        const error = transportError(failure, doing, signal);
        if (!isRegistryUnavailable(error) || received === before || resumed === MAX_RESUMED) throw error;
      }
      answer = await resume(received);
    }
  }

  async #patiently<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    let tries = 0;
    try {
      return await withBackoff(
        this.#patience,
        (failure, tried) => {
          tries = tried;
          return failure instanceof PassingFailure && failure.retryAfterMs;
        },
        work,
        signal,
      );
    } catch (failure) {
      throwIfAborted(signal);
      throw tries > 1 ? new AgentError(kindOf(failure), `${messageOf(failure)} (tried ${tries} times)`, { cause: failure }) : failure;
    }
  }

  #doing(what: string, name: string): string {
    return `${what} ${name} of ${repository(this.#reference)} from ${this.host.base.host}`;
  }

  async #get(path: string, headers: Record<string, string>, doing: string, signal: AbortSignal): Promise<Answer> {
    const { base, isRegistry } = this.host;
    const url = new URL(`${base.href.replace(/\/$/, "")}/${this.#reference.path}/${path}`);
    // A mirror of several registries learns whose image is meant.
    if (!isRegistry) url.searchParams.set("ns", this.#reference.registry);
    const send = (authorization: string | undefined): Promise<Answer> =>
      this.#http.get(url, headers, authorization === undefined ? {} : { authorization }, doing, signal);
    const shown = this.#signIn.authorization;
    let answer = await send(shown);
    // Only the host's own question is answered, never one that a redirect led to.
    if (answer.statusCode === 401 && answer.url.origin === base.origin) {
      const fresh = await this.#signIn.answer(answer.header("www-authenticate"), shown, doing, signal);
      if (fresh !== undefined) {
        await answer.body.dump();
        answer = await send(fresh);
      }
    }
    if (answer.statusCode === 200 || (answer.statusCode === PARTIAL && "range" in headers)) return answer;
    const said = await readBounded(answer, MAX_ERROR_BYTES, doing, signal).catch(() => Buffer.alloc(0));
    throw statusError(answer.statusCode, doing, said, answer.header("retry-after"));
  }
}

/** @source RFC 9110 section 14.4, "bytes 100-199/200" */
function firstByte(answer: Answer): number {
  if (answer.statusCode !== PARTIAL) return 0;
  return Number(/^bytes (\d+)-/.exec(answer.header("content-range"))?.[1] ?? Number.POSITIVE_INFINITY);
}
