// What a caller gave to sign in with, and whom it is for. Pure.
import { AgentError } from "../../base/errors.ts";

/** As the kubelet and crictl send it; empty texts are absent. */
export interface RegistryAuth {
  readonly username: string;
  readonly password: string;
  /** base64 of "username:password" */
  readonly auth: string;
  readonly serverAddress: string;
  readonly identityToken: string;
  readonly registryToken: string;
}

export type Credentials =
  | { readonly kind: "basic"; readonly base64: string }
  /** exchanged for a token at the token server */
  | { readonly kind: "identity"; readonly token: string }
  /** sent to the registry as it is */
  | { readonly kind: "registry"; readonly token: string };

const MAX_SECRET_CHARACTERS = 64 * 1024;
const DOCKER_HUB = new Set(["docker.io", "index.docker.io", "registry-1.docker.io"]);

/** @throws AgentError invalid-argument for secrets that can't be sent; none of them is in the message */
export function readCredentials(auth: RegistryAuth | undefined): Credentials | undefined {
  if (auth === undefined) return undefined;
  const refuse = (why: string): AgentError => new AgentError("invalid-argument", `read registry credentials: ${why}`);
  const { username, password, identityToken, registryToken } = auth;
  if ([username, password, auth.auth, identityToken, registryToken].some((secret) => secret.length > MAX_SECRET_CHARACTERS)) {
    throw refuse(`a part is over ${MAX_SECRET_CHARACTERS} characters`);
  }
  if (/[^\x21-\x7e]/.test(identityToken + registryToken)) throw refuse("a token has other characters than visible ASCII");
  if (username !== "" || password !== "") return { kind: "basic", base64: Buffer.from(`${username}:${password}`).toString("base64") };
  if (identityToken !== "") return { kind: "identity", token: identityToken };
  if (auth.auth !== "") {
    // Some writers pad with NUL bytes.
    const plain = Buffer.from(auth.auth, "base64").toString("utf8").replace(/\0+$/, "");
    if (!plain.includes(":")) throw refuse("auth is not base64 of a name and a password");
    return { kind: "basic", base64: Buffer.from(plain).toString("base64") };
  }
  return registryToken === "" ? undefined : { kind: "registry", token: registryToken };
}

/**
 * Whether a host may have the credentials: the registry itself, unless they name another server; a mirror only when they name it.
 *
 * @param serverAddress "" names none; a host or a URL
 * @param isRegistry the host serves the registry of the reference, and is no mirror
 */
export function areFor(serverAddress: string, host: URL, registry: string, isRegistry: boolean): boolean {
  if (serverAddress === "") return isRegistry;
  const named = URL.parse(serverAddress.includes("://") ? serverAddress : `https://${serverAddress}`)?.host;
  if (named === undefined) return false;
  const same = (a: string, b: string): boolean => a === b || (DOCKER_HUB.has(a) && DOCKER_HUB.has(b));
  return same(named, host.host) || (isRegistry && same(named, registry));
}
