// Whether a registry takes credentials, without asking for an image.
import { AgentError } from "../../base/errors.ts";
import { parseReference } from "../reference.ts";
import { readCredentials, type RegistryAuth } from "./credentials.ts";
import { statusError } from "./failures.ts";
import { registryHosts } from "./hosts.ts";
import { type Answer, HttpClient, readBounded } from "./http.ts";
import { SignIn } from "./sign-in.ts";

const MAX_ERROR_BYTES = 4096;

/**
 * Mirrors are not asked: the credentials are not theirs.
 *
 * @returns false when the registry lets everybody in, and has not looked at them
 * @throws AgentError failed-precondition when they are wrong, invalid-argument for what is no registry, RegistryUnavailable
 * @source OCI distribution specification, "end-1"
 */
export async function checkCredentials(registry: string, configDir: string, auth: RegistryAuth, signal: AbortSignal): Promise<boolean> {
  const doing = `sign in to ${registry}`;
  if (parseReference(`${registry}/image`).registry !== registry)
    throw new AgentError("invalid-argument", `${doing}: it is no registry; write its name as image names have it`);
  const credentials = readCredentials(auth);
  if (credentials === undefined) throw new AgentError("invalid-argument", `${doing}: there is neither a name nor a token`);
  const host = (await registryHosts(configDir, registry)).find(({ isRegistry }) => isRegistry);
  if (host === undefined) throw new AgentError("failed-precondition", `${doing}: its hosts.toml has mirrors only`);
  const http = new HttpClient(host);
  try {
    const url = new URL(`${host.base.href.replace(/\/$/, "")}/`);
    const open = await http.get(url, {}, {}, doing, signal);
    if (open.statusCode !== 401 || open.url.origin !== host.base.origin) {
      await succeeded(open, doing, signal);
      return false;
    }
    const authorization = await new SignIn(http, host.base, "", credentials).answer(
      open.header("www-authenticate"),
      undefined,
      doing,
      signal,
    );
    // A scheme that we don't know leaves us with the refusal.
    if (authorization === undefined) await succeeded(open, doing, signal);
    await open.body.dump();
    await succeeded(await http.get(url, {}, { authorization: authorization ?? "" }, doing, signal), doing, signal);
    return true;
  } finally {
    await http.close();
  }
}

async function succeeded(answer: Answer, doing: string, signal: AbortSignal): Promise<void> {
  if (answer.statusCode === 200) return;
  throw statusError(answer.statusCode, doing, await readBounded(answer, MAX_ERROR_BYTES, doing, signal).catch(() => Buffer.alloc(0)));
}
