// Signing in: what a registry asks for, and what it is given. A secret goes to the host it is for, and to no other.
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

export interface Challenge {
  readonly scheme: "basic" | "bearer";
  readonly realm: string;
  readonly service: string;
  readonly scope: string;
}

const MAX_HEADER_CHARACTERS = 8192;

/** The header WWW-Authenticate; undefined for a scheme that we don't know. */
export function parseChallenge(header: string): Challenge | undefined {
  const match = /^\s*(basic|bearer)\s*(.*)$/i.exec(header.slice(0, MAX_HEADER_CHARACTERS));
  if (match === null) return undefined;
  const parameters = new Map([...(match[2] ?? "").matchAll(/(\w+)="([^"]*)"/g)].map((each) => [each[1]?.toLowerCase() ?? "", each[2] ?? ""]));
  return {
    scheme: match[1]?.toLowerCase() === "basic" ? "basic" : "bearer",
    realm: parameters.get("realm") ?? "",
    service: parameters.get("service") ?? "",
    scope: parameters.get("scope") ?? "",
  };
}

/** @throws AgentError invalid-argument for an `auth` that is not base64 of a name and a password */
export function basicCredentials(auth: RegistryAuth | undefined): string | undefined {
  if (auth === undefined) return undefined;
  if (auth.username !== "" || auth.password !== "") return Buffer.from(`${auth.username}:${auth.password}`).toString("base64");
  if (auth.auth === "") return undefined;
  // Some writers pad with NUL bytes.
  const plain = Buffer.from(auth.auth, "base64").toString("utf8").replace(/\0+$/, "");
  if (!plain.includes(":")) throw new AgentError("invalid-argument", "read registry credentials: auth is not base64 of a name and a password");
  return Buffer.from(plain).toString("base64");
}

/** Where to ask for a token. @throws AgentError failed-precondition for a realm that a secret must not be sent to */
export function tokenUrl(challenge: Challenge, registry: URL, repository: string): URL {
  const url = URL.parse(challenge.realm);
  if (url === null || (url.protocol !== "https:" && url.host !== registry.host)) {
    throw new AgentError("failed-precondition", `sign in to ${registry.host}: its token server ${JSON.stringify(challenge.realm.slice(0, 256))} is neither encrypted nor on the same host`);
  }
  if (challenge.service !== "") url.searchParams.set("service", challenge.service);
  url.searchParams.set("scope", challenge.scope || `repository:${repository}:pull`);
  return url;
}
