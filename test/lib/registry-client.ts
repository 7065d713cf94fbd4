// A client of one registry that gives up soon, and what registries ask of it.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { ExecutionContext } from "ava";
import type { Backoff } from "../../src/base/backoff.ts";
import type { RegistryAuth } from "../../src/image/registry/credentials.ts";
import { parseHosts } from "../../src/image/registry/hosts.ts";
import { RegistryClient } from "../../src/image/registry/registry-client.ts";
import { parseReference } from "../../src/image/reference.ts";
import type { FakeRegistry, Intercept } from "./fake-registry.ts";

export const NO_AUTH: RegistryAuth = { username: "", password: "", auth: "", serverAddress: "", identityToken: "", registryToken: "" };
export const USER: RegistryAuth = { ...NO_AUTH, username: "user", password: "word" };
export const BASIC = `Basic ${Buffer.from("user:word").toString("base64")}`;

export const TRIES = 3;
const QUICK: Backoff = { firstMs: 1, mostMs: 4, tries: TRIES, giveUpMs: 600_000 };

export async function clientOf(
  t: ExecutionContext,
  registry: FakeRegistry,
  auth?: RegistryAuth,
  table = "",
  patience = QUICK,
): Promise<RegistryClient> {
  const [host] = await parseHosts(table, registry.address, "/nowhere", "hosts.toml");
  if (host === undefined) throw new Error("the table has no host");
  const client = new RegistryClient(host, parseReference(`${registry.address}/a/b:1`), auth, patience);
  t.teardown(() => client.close());
  return client;
}

export async function bytesOf(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Lets a request pass only with this token, and gives it to those who ask at /token. */
export function withToken(registry: FakeRegistry, token: () => string, asked: string[] = []) {
  return (request: IncomingMessage, response: ServerResponse): boolean => {
    if (request.url?.startsWith("/token") === true) {
      asked.push(`${request.method} ${request.url} ${request.headers.authorization ?? "nobody"}`);
      response.end(JSON.stringify({ token: token() }));
      return true;
    }
    if (request.headers.authorization === `Bearer ${token()}`) return false;
    response
      .writeHead(401, { "www-authenticate": `Bearer realm="http://${registry.address}/token",service="svc",scope="repository:a/b:pull"` })
      .end("{}");
    return true;
  };
}

/** Fails the first requests, each in its own way, then leaves them to the content. */
export function failing(...ways: readonly ((response: ServerResponse) => unknown)[]): Intercept {
  const waiting = [...ways];
  return (_request, response) => waiting.shift()?.(response) !== undefined;
}

export const overloaded = (headers: Record<string, string>) => (response: ServerResponse) => response.writeHead(503, headers).end();
export const broken = (response: ServerResponse) => response.destroy();
export const brokenInTheMiddle = (response: ServerResponse) =>
  response.writeHead(200, { "content-length": 1000 }).write("{", () => response.destroy());
