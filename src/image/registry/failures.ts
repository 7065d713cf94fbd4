// What went wrong between us and a registry, in kinds that tell the caller what to do.
import { AgentError, kindOf, messageOf } from "../../base/errors.ts";
import { abortError } from "../abortable-calls.ts";

/** The registry can't be reached, or says that it can't serve now. */
class RegistryUnavailable extends AgentError {
  constructor(message: string, options?: ErrorOptions) {
    super("unavailable", message, options);
  }
}

/** Looks through added context. */
export function isRegistryUnavailable(failure: unknown): boolean {
  for (let cause = failure; cause instanceof Error; cause = cause.cause) if (cause instanceof RegistryUnavailable) return true;
  return false;
}

// Waiting does not mend these: somebody has to set the trust right.
const CERTIFICATE_PROBLEM = /CERT|_SIGNATURE|_CRL|^ERR_TLS|^ERR_SSL|^HOSTNAME_MISMATCH$/;

/** @param failure of the HTTP client; errors of our own come through */
export function transportError(failure: unknown, doing: string, signal: AbortSignal): AgentError {
  if (signal.aborted) return abortError(signal);
  if (failure instanceof AgentError) return failure;
  const code = failure instanceof Error && "code" in failure ? String(failure.code) : "";
  const message = `${doing}: ${messageOf(failure) || code}`;
  if (CERTIFICATE_PROBLEM.test(code)) return new AgentError("failed-precondition", message, { cause: failure });
  return new RegistryUnavailable(message, { cause: failure });
}

/** @param body what the registry said, already bounded */
export function statusError(statusCode: number, doing: string, body: Buffer): AgentError {
  // It ends in logs and on terminals.
  const said = body
    .toString("utf8")
    .replace(/[\s\p{Cc}]+/gu, " ")
    .trim();
  const message = `${doing}: HTTP ${statusCode}${said === "" ? "" : `: ${said.slice(0, 512)}`}`;
  if (statusCode === 404) return new AgentError("not-found", message);
  if (statusCode === 401 || statusCode === 403)
    return new AgentError("failed-precondition", `${message} (unauthorized: check the credentials)`);
  if (statusCode === 429) return new AgentError("resource-exhausted", message);
  if (statusCode >= 500 || statusCode === 408) return new RegistryUnavailable(message);
  return new AgentError("internal", message);
}

/** Of several hosts tried in order. The registry itself comes last, and its word counts most. */
export function ofHosts(failures: readonly unknown[]): AgentError {
  const last = failures.at(-1);
  if (failures.length === 1 && last instanceof AgentError) return last;
  const message = failures.map(messageOf).join("; ") || "no host of the table has what is needed";
  const cause = new AggregateError(failures, message);
  if (isRegistryUnavailable(last)) return new RegistryUnavailable(message, { cause });
  return new AgentError(failures.length === 0 ? "failed-precondition" : kindOf(last), message, { cause });
}
