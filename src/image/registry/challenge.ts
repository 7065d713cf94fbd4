// What a registry asks for before it answers, and where a token is had. Pure.
import { AgentError } from "../../base/errors.ts";

export interface Challenge {
  readonly scheme: "basic" | "bearer";
  readonly realm: string;
  readonly service: string;
  readonly scope: string;
}

const MAX_HEADER_CHARACTERS = 8192;

/** The header WWW-Authenticate; undefined for a scheme that we don't know. */
export function parseChallenge(header: string): Challenge | undefined {
  const match = /^\s*(basic|bearer)(?:\s+(.*))?$/i.exec(header.slice(0, MAX_HEADER_CHARACTERS));
  if (match === null) return undefined;
  const parameters = new Map(
    [...(match[2] ?? "").matchAll(/(\w+)=(?:"([^"]*)"|([^",\s]+))/g)].map((each) => [
      each[1]?.toLowerCase() ?? "",
      each[2] ?? each[3] ?? "",
    ]),
  );
  return {
    scheme: match[1]?.toLowerCase() === "basic" ? "basic" : "bearer",
    realm: parameters.get("realm") ?? "",
    service: parameters.get("service") ?? "",
    scope: parameters.get("scope") ?? "",
  };
}

/** What the token server is asked. @param repository "" asks for nothing but to be let in @throws AgentError failed-precondition for a realm that a secret must not be sent to */
export function tokenUrl(challenge: Challenge, registry: URL, repository: string): URL {
  const url = URL.parse(challenge.realm);
  if (url === null || !isTrusted(url, registry)) {
    throw new AgentError(
      "failed-precondition",
      `sign in to ${registry.host}: its token server ${JSON.stringify(challenge.realm.slice(0, 256))} is neither encrypted nor on the same host`,
    );
  }
  if (challenge.service !== "") url.searchParams.set("service", challenge.service);
  const scope = challenge.scope || (repository === "" ? "" : `repository:${repository}:pull`);
  if (scope !== "") url.searchParams.set("scope", scope);
  return url;
}

const isTrusted = (url: URL, registry: URL): boolean =>
  url.protocol === "https:" || (url.protocol === "http:" && registry.protocol === "http:" && url.host === registry.host);
